namespace LlmOps.Lifecycle.Sweeps.Search;

/// <summary>Each value is drawn by itself, evenly along its axis.</summary>
public static class RandomSearch
{
    private const int Draws = 50;

    /// <param name="trial">Number of the trial: with the seed it decides the point.</param>
    /// <param name="tried">What was tried before; a training with the same parameters and the same seed would say nothing new.</param>
    public static IReadOnlyList<string> Draw(SearchSpace space, IReadOnlyCollection<IReadOnlyList<string>> tried, int seed, int trial)
    {
        var random = new SearchRandom(seed, trial);
        return Untried(space, tried, ref random);
    }

    internal static IReadOnlyList<string> Untried(SearchSpace space, IReadOnlyCollection<IReadOnlyList<string>> tried, ref SearchRandom random)
    {
        string[] point = [];
        for (var i = 0; i < Draws; i++)
        {
            point = new string[space.Dimensions.Count];
            for (var d = 0; d < point.Length; d++)
                point[d] = space.Dimensions[d].At(random.Unit());
            if (!tried.Any(t => t.SequenceEqual(point)))
                return point;
        }
        // A small space of choices whose last untried point does not come up in 50 draws: count them through.
        for (long i = 0; space.Dimensions.All(d => d is ChoiceDimension or IntDimension) && i < Math.Min(space.GridSize(), 10_000); i++)
            if (space.GridPoint(i) is var next && !tried.Any(t => t.SequenceEqual(next)))
                return next;
        return point;
    }
}

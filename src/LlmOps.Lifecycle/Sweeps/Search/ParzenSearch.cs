namespace LlmOps.Lifecycle.Sweeps.Search;

/// <param name="Startup">Trials that are drawn at random before the estimators are asked.</param>
/// <param name="Gamma">Share of the trials that counts as good.</param>
/// <param name="Candidates">Points that are drawn from the good ones' density; the most promising of them is tried.</param>
public sealed record ParzenOptions(int Startup = 10, double Gamma = 0.15, int Candidates = 24);

/// <summary>A point that was tried; the value is null while its trial runs and when it failed.</summary>
public sealed record Observation(IReadOnlyList<string> Point, double? Value);

/// <summary>
/// Tree-structured Parzen estimators (Bergstra, Bardenet, Bengio and Kégl 2011, section 4): the trials are split at the gamma quantile of their values into good and bad,
/// l and g are the densities of the two, and of points drawn from l the one with the greatest l/g is taken, which is the one of greatest expected improvement.
/// A pure function of seed and history.
/// </summary>
public static class ParzenSearch
{
    /// <param name="trial">Number of the trial that is asked for: with the seed it decides what is drawn.</param>
    public static IReadOnlyList<string> Suggest(SearchSpace space, IReadOnlyList<Observation> history, bool minimise, int seed, int trial, ParzenOptions options)
    {
        var random = new SearchRandom(seed, trial);
        var measured = history.Where(h => h.Value is { } v && double.IsFinite(v)).OrderBy(h => minimise ? h.Value!.Value : -h.Value!.Value).ToList();
        if (measured.Count < options.Startup || measured.Count < 2)
            return RandomSearch.Untried(space, [.. history.Select(h => h.Point)], ref random);
        var good = measured.Take(Math.Max(1, (int)Math.Ceiling(options.Gamma * measured.Count))).Select(h => h.Point).ToList();
        // What failed is bad. What still runs counts as bad too: otherwise trials that run side by side would all be the same one.
        var bad = measured.Skip(good.Count).Concat(history.Where(h => h.Value is not { } v || !double.IsFinite(v))).Select(h => h.Point).ToList();
        var point = Best(space, good, bad, options.Candidates, ref random);
        return history.Any(h => h.Point.SequenceEqual(point)) ? RandomSearch.Untried(space, [.. history.Select(h => h.Point)], ref random) : point;
    }

    private static string[] Best(SearchSpace space, List<IReadOnlyList<string>> good, List<IReadOnlyList<string>> bad, int candidates, ref SearchRandom random)
    {
        var l = space.Dimensions.Select((d, i) => Density(d, [.. good.Select(p => p[i])])).ToArray();
        var g = space.Dimensions.Select((d, i) => Density(d, [.. bad.Select(p => p[i])])).ToArray();
        var (best, most) = (Array.Empty<string>(), double.NegativeInfinity);
        for (var c = 0; c < candidates; c++)
        {
            var candidate = new string[l.Length];
            var ratio = 0.0;
            for (var d = 0; d < l.Length; d++)
            {
                candidate[d] = l[d].Draw(ref random);
                ratio += l[d].LogAt(candidate[d]) - g[d].LogAt(candidate[d]);
            }
            if (ratio > most)
                (best, most) = (candidate, ratio);
        }
        return best;
    }

    private static IParzenDensity Density(SearchDimension dimension, List<string> values) =>
        dimension is RangeDimension range ? new ParzenMixture(range, [.. values.Select(range.Axis)]) : new CategoricalDensity((ChoiceDimension)dimension, values);

    /// <summary>Shares of the values, each counted once more than it was seen: what was never tried stays possible.</summary>
    private sealed class CategoricalDensity(ChoiceDimension dimension, List<string> values) : IParzenDensity
    {
        private double Share(string value) => (values.Count(v => v == value) + 1.0) / (values.Count + dimension.Values.Count);

        public string Draw(ref SearchRandom random)
        {
            var left = random.Unit();
            foreach (var value in dimension.Values)
                if ((left -= Share(value)) < 0)
                    return value;
            return dimension.Values[^1];
        }

        public double LogAt(string value) => Math.Log(Share(value));
    }
}

/// <summary>Of a range or of choices.</summary>
internal interface IParzenDensity
{
    string Draw(ref SearchRandom random);
    double LogAt(string value);
}

using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Quantization.Search;

/// <summary>A measured number for which less is better, with its 95 % interval; an exact number has an interval of no width.</summary>
/// <param name="Value">The number.</param>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
public readonly record struct Measure(double Value, double Low, double High)
{
    /// <summary>An exact number, such as a size.</summary>
    public static Measure Exact(double value) => new(value, value, value);

    /// <summary>A number for which less is better.</summary>
    public static Measure Less(Estimate estimate) => new(estimate.Value, estimate.Low, estimate.High);

    /// <summary>A number for which more is better, turned around.</summary>
    public static Measure More(Estimate estimate) => new(-estimate.Value, -estimate.High, -estimate.Low);

    /// <summary>Better by more than both intervals leave open.</summary>
    public bool IsClearlyBelow(Measure other) => High < other.Low;
}

/// <summary>Which of several variants are worth choosing from: those that no other beats in every respect.</summary>
public static class ParetoFront
{
    /// <summary>
    /// <paramref name="a"/> dominates <paramref name="b"/> when it is nowhere worse and somewhere better by more than the intervals leave open. A
    /// difference that may be noise removes nobody.
    /// </summary>
    /// <exception cref="ArgumentException">The points have different numbers of measures.</exception>
    public static bool Dominates(IReadOnlyList<Measure> a, IReadOnlyList<Measure> b)
    {
        if (a.Count != b.Count)
            throw new ArgumentException($"The points have {a.Count} and {b.Count} measures.");
        var clearly = false;
        for (var i = 0; i < a.Count; i++)
        {
            if (!(a[i].Value <= b[i].Value)) // a missing number (NaN) proves nothing
                return false;
            clearly |= a[i].IsClearlyBelow(b[i]);
        }
        return clearly;
    }

    /// <summary>For each point whether it is on the front; of any points at least one is.</summary>
    /// <exception cref="ArgumentException">The points have different numbers of measures.</exception>
    public static IReadOnlyList<bool> Of(IReadOnlyList<IReadOnlyList<Measure>> points) =>
        [.. points.Select(point => !points.Any(other => !ReferenceEquals(other, point) && Dominates(other, point)))];
}

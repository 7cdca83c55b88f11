using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Lifecycle.Sweeps.Search;

/// <summary>
/// A Parzen estimator on a range: a normal at each observation, as wide as the farther of its neighbours is away (the ends of the range are neighbours too), and one
/// as wide as the range in its middle, the prior. Each is cut off at the ends. Widths are kept from shrinking below range / (n + 1), so that values seen twice make no needle.
/// </summary>
internal sealed class ParzenMixture : IParzenDensity
{
    private readonly RangeDimension range;
    private readonly double[] means, widths, below, mass;

    public ParzenMixture(RangeDimension range, IReadOnlyList<double> observed)
    {
        this.range = range;
        var whole = range.High - range.Low;
        var sorted = observed.Order().ToArray();
        means = [.. sorted, (range.Low + range.High) / 2];
        widths = [.. sorted.Select((x, i) =>
        {
            var left = x - (i == 0 ? range.Low : sorted[i - 1]);
            var right = (i == sorted.Length - 1 ? range.High : sorted[i + 1]) - x;
            return Math.Clamp(Math.Max(left, right), whole / Math.Min(100, sorted.Length + 1), whole);
        }), whole];
        below = [.. means.Select((m, i) => NormalLaw.Cumulative((range.Low - m) / widths[i]))];
        mass = [.. means.Select((m, i) => NormalLaw.Cumulative((range.High - m) / widths[i]) - below[i])];
    }

    public string Draw(ref SearchRandom random)
    {
        var i = random.Below(means.Length);
        var p = Math.Clamp(below[i] + random.Unit() * mass[i], 1e-12, 1 - 1e-12);
        return range.OfAxis(Math.Clamp(means[i] + widths[i] * NormalLaw.Quantile(p), range.Low, range.High));
    }

    public double LogAt(string value)
    {
        var x = range.Axis(value);
        return Math.Log(means.Select((m, i) => NormalLaw.Density((x - m) / widths[i]) / (widths[i] * mass[i])).Average());
    }
}

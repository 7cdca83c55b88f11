using System.Collections.Concurrent;

namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>How much of the false-alarm rate early looks may use up.</summary>
public enum SpendingShape
{
    /// <summary>Almost nothing early: 2 − 2Φ(z₁₋α/₂ / √t). The last look stays close to α.</summary>
    OBrienFleming,

    /// <summary>Evenly: α·ln(1 + (e − 1)t).</summary>
    Pocock,
}

/// <summary>
/// Repeated looks at growing data without a growing false-alarm rate (Lan and DeMets 1983): each look may reject at a level so small that all looks
/// together reject a true null hypothesis with probability α. The levels follow from the joint normal distribution of the looks, by the recursive
/// integration of Armitage, McPherson and Rowe (1969).
/// </summary>
public static class AlphaSpending
{
    private const int Nodes = 801;
    private const double Edge = 8;
    // A policy asks for the same levels at every look, and they take a tenth of a second to integrate.
    private static readonly ConcurrentDictionary<(int Looks, double Alpha, SpendingShape Shape), double[]> Known = new();

    /// <summary>One-sided nominal levels of equally spaced looks.</summary>
    /// <param name="looks">Planned looks, 1 to 50.</param>
    /// <param name="alpha">One-sided false-alarm rate of all looks together.</param>
    /// <param name="shape">Spending function.</param>
    public static double[] NominalLevels(int looks, double alpha, SpendingShape shape = SpendingShape.OBrienFleming)
    {
        if (looks is < 1 or > 50)
            throw new ArgumentOutOfRangeException(nameof(looks), looks, "1 to 50 looks can be planned.");
        return [.. Known.GetOrAdd((looks, alpha, shape), static key => NominalLevels([.. Enumerable.Range(1, key.Looks).Select(k => k / (double)key.Looks)], key.Alpha, key.Shape))];
    }

    /// <summary>One-sided nominal levels: look k rejects when its one-sided p-value is at most the k-th.</summary>
    /// <param name="information">Share of the planned items seen at each look, rising, the last at most 1.</param>
    /// <param name="alpha">One-sided false-alarm rate of all looks together, between 0 and 0.5.</param>
    /// <param name="shape">Spending function.</param>
    /// <exception cref="ArgumentException">The shares do not rise from above 0 to at most 1, or α is out of range.</exception>
    public static double[] NominalLevels(double[] information, double alpha, SpendingShape shape = SpendingShape.OBrienFleming)
    {
        if (alpha is not (> 0 and < 0.5))
            throw new ArgumentException($"A false-alarm rate of {alpha} is not between 0 and 0.5.");
        if (information.Length == 0 || information[0] <= 0 || information[^1] > 1 + 1e-9 || information.Zip(information.Skip(1)).Any(p => p.Second <= p.First))
            throw new ArgumentException("The shares of information must rise from above 0 to at most 1.");
        var levels = new double[information.Length];
        Paths? paths = null;
        var (at, spent) = (0.0, 0.0);
        for (var k = 0; k < levels.Length; k++)
        {
            var t = Math.Min(1, information[k]);
            var total = Spent(t, alpha, shape);
            var bound = Bound(paths, t - at, total - spent);
            levels[k] = Normal.Cumulative(-bound / Math.Sqrt(t));
            paths = Continue(paths, t - at, bound, t);
            (at, spent) = (t, total);
        }
        return levels;
    }

    /// <summary>Density of B(t) = √t·z on the paths that no look has stopped, on a grid between the lowest value that matters and the bound.</summary>
    private sealed record Paths(double[] Density, double Lower, double Upper)
    {
        // Simpson's rule.
        public double Integrate(Func<double, double> kernel)
        {
            var width = (Upper - Lower) / (Nodes - 1);
            var sum = 0.0;
            for (var i = 0; i < Nodes; i++)
                sum += (i is 0 or Nodes - 1 ? 1 : i % 2 == 1 ? 4 : 2) * Density[i] * kernel(Lower + i * width);
            return sum * width / 3;
        }
    }

    private static double Spent(double t, double alpha, SpendingShape shape) => shape == SpendingShape.Pocock
        ? alpha * Math.Log(1 + (Math.E - 1) * t)
        : 2 * Normal.Cumulative(-Normal.Quantile(1 - alpha / 2) / Math.Sqrt(t));

    private static double Bound(Paths? paths, double step, double allowed)
    {
        double low = -Edge, high = Edge;
        for (var i = 0; i < 50; i++)
        {
            var middle = (low + high) / 2;
            if (Crossing(paths, step, middle) > allowed)
                low = middle;
            else
                high = middle;
        }
        return (low + high) / 2;
    }

    private static double Crossing(Paths? paths, double step, double bound) =>
        paths is null ? Normal.Cumulative(-bound / Math.Sqrt(step)) : paths.Integrate(x => Normal.Cumulative((x - bound) / Math.Sqrt(step)));

    private static Paths Continue(Paths? paths, double step, double bound, double t)
    {
        var lower = -Edge * Math.Sqrt(t);
        var density = new double[Nodes];
        for (var i = 0; i < Nodes; i++)
        {
            var x = lower + i * (bound - lower) / (Nodes - 1);
            density[i] = paths is null
                ? NormalLaw.Density(x / Math.Sqrt(step)) / Math.Sqrt(step)
                : paths.Integrate(y => NormalLaw.Density((x - y) / Math.Sqrt(step)) / Math.Sqrt(step));
        }
        return new(density, lower, bound);
    }
}

namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>Holm's step-down procedure (1979): the chance of any false alarm among m tests stays at α.</summary>
public static class Holm
{
    /// <summary>Adjusted p-values in the order given: reject what is at most α. p₍ᵢ₎ becomes the largest (m − j + 1)·p₍ⱼ₎ of j ≤ i, at most 1.</summary>
    /// <param name="p">p-values.</param>
    public static double[] Adjust(double[] p)
    {
        var adjusted = new double[p.Length];
        var largest = 0.0;
        foreach (var (rank, i) in Enumerable.Range(0, p.Length).OrderBy(i => p[i]).Index())
            adjusted[i] = largest = Math.Max(largest, Math.Min(1, p[i] * (p.Length - rank)));
        return adjusted;
    }
}

/// <summary>Benjamini and Hochberg (1995): among what is reported, the expected share of false alarms stays at α. For exploring, not for gates.</summary>
public static class FalseDiscovery
{
    /// <summary>Adjusted p-values in the order given: p₍ᵢ₎ becomes the smallest m/j·p₍ⱼ₎ of j ≥ i, at most 1.</summary>
    /// <param name="p">p-values.</param>
    public static double[] Adjust(double[] p)
    {
        var adjusted = new double[p.Length];
        var smallest = 1.0;
        foreach (var (rank, i) in Enumerable.Range(0, p.Length).OrderByDescending(i => p[i]).Index())
            adjusted[i] = smallest = Math.Min(smallest, p[i] * p.Length / (p.Length - rank));
        return adjusted;
    }
}

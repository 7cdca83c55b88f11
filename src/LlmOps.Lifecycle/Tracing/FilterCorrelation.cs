namespace LlmOps.Lifecycle.Tracing;

/// <summary>How much two groups of traces go together: normalized pointwise mutual information (Bouma 2009), from −1 (never) over 0 (by chance) to 1 (always).</summary>
public static class FilterCorrelation
{
    private const double Smoothing = 0.5;

    /// <summary>Null where one of the groups is empty: then there is nothing to say.</summary>
    public static double? Npmi(long first, long second, long joint, long total) =>
        first == 0 || second == 0 || total == 0 ? null : joint == 0 ? -1 : joint == total ? 1 : Npmi((double)first / total, (double)second / total, (double)joint / total);

    /// <summary>With half a trace more in each of the four cells (both, only one, only the other, neither).</summary>
    public static double? Smoothed(long first, long second, long joint, long total)
    {
        if (total == 0)
            return null;
        var all = total + 4 * Smoothing;
        return Npmi((first + 2 * Smoothing) / all, (second + 2 * Smoothing) / all, (joint + Smoothing) / all);
    }

    private static double Npmi(double first, double second, double joint) => Math.Clamp(Math.Log(joint / (first * second)) / -Math.Log(joint), -1, 1);
}

namespace LlmOps.Lifecycle.Registry;

/// <summary>Who beats whom when several numbers count. Pure.</summary>
public static class VariantFront
{
    /// <summary>For each point, the points that are no worse in every number and better in at least one; those without any are the front.</summary>
    /// <param name="points">Rows of equal length.</param>
    /// <param name="higherIsBetter">For each number; otherwise lower is.</param>
    public static IReadOnlyList<IReadOnlyList<int>> Dominators(IReadOnlyList<double[]> points, IReadOnlyList<bool> higherIsBetter) =>
        [.. points.Select(p => (IReadOnlyList<int>)[.. points.Index().Where(q => Dominates(q.Item, p, higherIsBetter)).Select(q => q.Index)])];

    private static bool Dominates(double[] a, double[] b, IReadOnlyList<bool> higherIsBetter)
    {
        var better = false;
        for (var i = 0; i < a.Length; i++)
        {
            var gain = higherIsBetter[i] ? a[i] - b[i] : b[i] - a[i];
            if (gain < 0)
                return false;
            better |= gain > 0;
        }
        return better;
    }
}

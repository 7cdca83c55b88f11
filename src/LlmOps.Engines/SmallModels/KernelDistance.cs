namespace LlmOps.Engines.SmallModels;

/// <summary>
/// Squared maximum mean discrepancy between two sets of vectors with the kernel e^(−‖a−b‖² / h), unbiased (Gretton et al. 2012, equation 3): 0 in expectation when both come from one
/// distribution.
/// </summary>
public static class KernelDistance
{
    /// <summary>Bandwidth h: the median squared distance between different vectors of a set, 1 when it is 0.</summary>
    /// <exception cref="ArgumentException">Fewer than two vectors.</exception>
    public static double Bandwidth(IReadOnlyList<float[]> set)
    {
        EnsureTwo(set);
        var distances = new List<double>();
        for (int i = 0; i < set.Count; i++)
            for (int j = 0; j < i; j++)
                distances.Add(Squared(set[i], set[j]));
        distances.Sort();
        return distances[distances.Count / 2] is > 0 and var median ? median : 1;
    }

    /// <summary>
    /// What each vector of <paramref name="data"/> contributes; the mean is the estimate. An interval over these values treats <paramref name="samples"/> as given.
    /// </summary>
    /// <exception cref="ArgumentException">Fewer than two vectors in a set.</exception>
    public static double[] Contributions(IReadOnlyList<float[]> data, IReadOnlyList<float[]> samples, double bandwidth)
    {
        EnsureTwo(data);
        EnsureTwo(samples);
        double within = 0;
        for (int i = 0; i < samples.Count; i++)
            for (int j = 0; j < i; j++)
                within += Math.Exp(-Squared(samples[i], samples[j]) / bandwidth);
        within /= samples.Count * (samples.Count - 1) / 2.0;
        return [.. data.Select((vector, j) =>
            within + data.Where((_, other) => other != j).Average(other => Math.Exp(-Squared(vector, other) / bandwidth)) - 2 * samples.Average(s => Math.Exp(-Squared(vector, s) / bandwidth)))];
    }

    private static void EnsureTwo(IReadOnlyList<float[]> set)
    {
        if (set.Count < 2)
            throw new ArgumentException("A distance between distributions needs at least two samples of each.");
    }

    private static double Squared(float[] a, float[] b)
    {
        double distance = System.Numerics.Tensors.TensorPrimitives.Distance<float>(a, b);
        return distance * distance;
    }
}

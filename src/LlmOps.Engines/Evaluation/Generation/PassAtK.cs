namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>
/// Probability that at least one of k programs passes, from n ≥ k tried ones of which c passed: 1 − C(n−c, k) / C(n, k), without bias
/// (Chen et al. 2021, "Evaluating Large Language Models Trained on Code").
/// </summary>
public static class PassAtK
{
    /// <summary>1 − Π over i from n−c+1 to n of (1 − k/i); 1 if n−c is below k.</summary>
    /// <param name="tried">n.</param>
    /// <param name="passed">c.</param>
    /// <param name="k">How many programs one may try.</param>
    /// <exception cref="ArgumentOutOfRangeException">k is below 1 or above n, or c is not within 0 and n: there is no unbiased estimate then.</exception>
    public static double Estimate(int tried, int passed, int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(k, tried);
        ArgumentOutOfRangeException.ThrowIfNegative(passed);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(passed, tried);
        if (tried - passed < k)
            return 1;
        var noneOfThem = 1.0;
        for (var i = tried - passed + 1; i <= tried; i++)
            noneOfThem *= 1 - k / (double)i;
        return 1 - noneOfThem;
    }
}

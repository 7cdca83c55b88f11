namespace LlmOps.Engines.Evaluation;

/// <summary>Whether two models answer the same yes/no items differently (McNemar 1947); only items on which they disagree count.</summary>
public static class McNemar
{
    /// <summary>
    /// Two-sided mid-p: 2·Σ_{i ≤ min(b,c)} C(n,i)/2ⁿ − C(n,b)/2ⁿ with n = b + c (Fagerland, Lydersen and Laake 2013). Less conservative than the exact test,
    /// and valid for small n, where χ² is not. 1 when the models never disagree or disagree equally often.
    /// </summary>
    /// <param name="b">Items that only the first model answers rightly.</param>
    /// <param name="c">Items that only the second model answers rightly.</param>
    /// <exception cref="ArgumentException">A count is negative.</exception>
    public static double MidP(int b, int c)
    {
        if (b < 0 || c < 0)
            throw new ArgumentException($"Counts cannot be negative: {b}, {c}.");
        int n = b + c, m = Math.Min(b, c);
        if (b == c)
            return 1;
        // Logarithms, because 2ⁿ leaves the range of doubles beyond n = 1023.
        var log = -n * Math.Log(2);
        for (var i = 1; i <= m; i++)
            log += Math.Log((n - m + i) / (double)i);
        double term = Math.Exp(log), sum = 0;
        var observed = term;
        for (var i = m; i >= 0 && term > 0; i--)
        {
            sum += term;
            term *= i / (double)(n - i + 1);
        }
        return Math.Min(1, 2 * sum - observed);
    }
}

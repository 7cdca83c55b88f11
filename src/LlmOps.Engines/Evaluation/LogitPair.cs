using System.Numerics.Tensors;

namespace LlmOps.Engines.Evaluation;

/// <summary>Two models' predictions at one position.</summary>
/// <param name="Kld">Σ p ln(p / q), nats.</param>
/// <param name="SameTop">Same most likely token.</param>
/// <param name="LogP">ln p of the token that came.</param>
/// <param name="LogQ">ln q of it.</param>
internal readonly record struct LogitPair(double Kld, bool SameTop, double LogP, double LogQ)
{
    /// <param name="p">Logits of the base.</param>
    /// <param name="q">Logits of the variant.</param>
    /// <param name="token">The token that came.</param>
    /// <param name="probabilities">Scratch, as long as the rows.</param>
    /// <param name="differences">Scratch, as long as the rows.</param>
    /// <exception cref="InvalidModelException">A logit is NaN or infinite.</exception>
    public static LogitPair At(ReadOnlySpan<float> p, ReadOnlySpan<float> q, int token, Span<float> probabilities, Span<float> differences)
    {
        double logQ = LogSum(q, probabilities), logP = LogSum(p, probabilities); // the base last: its exponentials are used below
        var sum = TensorPrimitives.Sum<float>(probabilities);
        // ln p − ln q = (p − q) − (lnΣp − lnΣq): logits of a good variant are close, so their difference is exact where the logarithms' would not be.
        TensorPrimitives.Subtract(p, q, differences);
        TensorPrimitives.Subtract(differences, (float)(logP - logQ), differences);
        var kld = Math.Max(0, TensorPrimitives.Dot<float>(probabilities, differences) / (double)sum);
        return new(kld, TensorPrimitives.IndexOfMax(p) == TensorPrimitives.IndexOfMax(q), p[token] - logP, q[token] - logQ);
    }

    private static double LogSum(ReadOnlySpan<float> row, Span<float> exponentials)
    {
        var max = TensorPrimitives.Max(row);
        TensorPrimitives.Subtract(row, max, exponentials);
        TensorPrimitives.Exp<float>(exponentials, exponentials);
        var result = max + Math.Log(TensorPrimitives.Sum<float>(exponentials));
        return double.IsFinite(result) ? result : throw new InvalidModelException($"A model gave logits whose largest is {max}; its weights are damaged or overflow.");
    }
}

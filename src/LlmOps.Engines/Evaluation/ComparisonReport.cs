using System.Text.Json.Serialization;

namespace LlmOps.Engines.Evaluation;

/// <summary>
/// How far a variant is from its base on the same rows. Intervals resample rows, both models together; each n is the number of rows.
/// Per position: Kullback-Leibler divergence KLD = Σ p ln(p / q) over the whole vocabulary, p of the base and q of the variant, in nats.
/// </summary>
/// <param name="Rows">Texts compared.</param>
/// <param name="Positions">Scored tokens of all rows.</param>
/// <param name="MeanKld">Mean over positions.</param>
/// <param name="MedianKld">Median over positions.</param>
/// <param name="Kld99">99th percentile over positions: how bad the rare bad places are.</param>
/// <param name="SameTop">Share of positions where both models find the same token most likely, 0 to 1.</param>
/// <param name="MeanDeltaP">Mean change of the probability of the token that came; negative when the variant knows less.</param>
/// <param name="RmsDeltaP">Root of the mean square of that change.</param>
/// <param name="BaseBitsPerByte">−Σ log₂ p / Σ bytes of the base.</param>
/// <param name="VariantBitsPerByte">The same of the variant.</param>
/// <param name="DeltaBitsPerByte">Variant minus base, paired.</param>
/// <param name="BasePerplexity">exp of the mean negative log-likelihood per token.</param>
/// <param name="VariantPerplexity">The same of the variant.</param>
/// <param name="BaseBytes">Graph and weights of the base; 0 when models were compared that are no folders.</param>
/// <param name="VariantBytes">Graph and weights of the variant.</param>
[JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)]
public sealed record ComparisonReport(int Rows, int Positions, Estimate MeanKld, double MedianKld, double Kld99, Estimate SameTop, double MeanDeltaP, double RmsDeltaP,
    Estimate BaseBitsPerByte, Estimate VariantBitsPerByte, Estimate DeltaBitsPerByte, double BasePerplexity, double VariantPerplexity, long BaseBytes, long VariantBytes)
{
    /// <summary>Δ bits per byte over the base's bits per byte: 0.01 is one percent worse.</summary>
    [JsonIgnore]
    public double RelativeIncrease => DeltaBitsPerByte.Value / BaseBitsPerByte.Value;

    /// <summary>The upper end of <see cref="DeltaBitsPerByte"/> over the base's bits per byte.</summary>
    [JsonIgnore]
    public double RelativeIncreaseAtMost => DeltaBitsPerByte.High / BaseBitsPerByte.Value;
}

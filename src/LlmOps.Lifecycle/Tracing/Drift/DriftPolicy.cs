namespace LlmOps.Lifecycle.Tracing.Drift;

/// <summary>What is compared with what, and from where on a difference counts. A difference has to be shown and to matter: the interval's end that is nearer to none lies beyond the threshold.</summary>
/// <param name="BaselineDays">How many days before the window are the past it is compared with.</param>
/// <param name="WindowHours">The newest hours.</param>
/// <param name="MostTraces">The most traces of each side that are read, drawn at random with the seed.</param>
/// <param name="LeastTraces">With fewer on either side nothing is said.</param>
/// <param name="Seed">Of the sample, the resampling and the permutations.</param>
/// <param name="Alpha">How often all measures together may speak without a change.</param>
/// <param name="PsiThreshold">Population stability index of lengths and latency; 0.1 is usually called some drift, 0.25 much.</param>
/// <param name="KsThreshold">Largest distance between the distribution functions.</param>
/// <param name="RefusalThreshold">Difference of the shares of refusals.</param>
/// <param name="MmdThreshold">Squared distance between the distributions of embeddings, 0 to 2.</param>
/// <param name="EveryHours">How often it is looked at by the clock.</param>
public sealed record DriftPolicy(int BaselineDays = 14, int WindowHours = 24, int MostTraces = 1000, int LeastTraces = 50, int Seed = 1, double Alpha = 0.05,
    double PsiThreshold = 0.1, double KsThreshold = 0.1, double RefusalThreshold = 0.02, double MmdThreshold = 0.005, int EveryHours = 6)
{
    /// <summary>Embeddings cost n² distances: fewer traces of each side are enough for them.</summary>
    public const int MostEmbedded = 300;

    public void Ensure()
    {
        if (BaselineDays is < 1 or > 365 || WindowHours is < 1 or > 24 * 90 || EveryHours is < 1 or > 24 * 30)
            throw LlmOpsException.Invalid("A baseline is 1 to 365 days, a window 1 to 2160 hours, and it is looked at every 1 to 720 hours.");
        if (LeastTraces is < 20 or > 5000 || MostTraces < LeastTraces || MostTraces > 5000)
            throw LlmOpsException.Invalid("At least 20 traces of each side are compared and at most 5000; the most must not be below the least.");
        if (Alpha is not (>= 0.001 and <= 0.2))
            throw LlmOpsException.Invalid("Alpha is 0.001 to 0.2.");
        if (new[] { PsiThreshold, KsThreshold, RefusalThreshold, MmdThreshold }.Any(t => t is not (>= 0 and < 2)))
            throw LlmOpsException.Invalid("A threshold is 0 to below 2.");
    }
}

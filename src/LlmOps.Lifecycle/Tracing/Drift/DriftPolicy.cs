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
/// <param name="RefusalPhrases">What an answer of this deployment says at its beginning when it refuses, in any language; beside the signals and the English phrases that are always known.</param>
public sealed record DriftPolicy(int BaselineDays = 14, int WindowHours = 24, int MostTraces = 1000, int LeastTraces = 50, int Seed = 1, double Alpha = 0.05,
    double PsiThreshold = 0.1, double KsThreshold = 0.1, double RefusalThreshold = 0.02, double MmdThreshold = 0.005, int EveryHours = 6, IReadOnlyList<string>? RefusalPhrases = null)
{
    /// <summary>Embeddings cost n² distances: fewer traces of each side are enough for them.</summary>
    public const int MostEmbedded = 300;

    public const int MostPhrases = 50, ShortestPhrase = 2, LongestPhrase = 200;

    /// <summary>What is wrong, by the name of the field, and what to do.</summary>
    public IEnumerable<(string Field, string Text)> Problems()
    {
        if (BaselineDays is < 1 or > 365)
            yield return (nameof(BaselineDays), "A baseline is 1 to 365 days.");
        if (WindowHours is < 1 or > 24 * 90)
            yield return (nameof(WindowHours), "A window is 1 to 2160 hours.");
        if (EveryHours is < 1 or > 24 * 30)
            yield return (nameof(EveryHours), "It is looked at every 1 to 720 hours.");
        if (LeastTraces is < 20 or > 5000)
            yield return (nameof(LeastTraces), "At least 20 traces of each side are compared, and this is at most 5000.");
        if (MostTraces is < 20 or > 5000)
            yield return (nameof(MostTraces), "From 20 to 5000 traces of each side are read.");
        else if (MostTraces < LeastTraces)
            yield return (nameof(MostTraces), $"The most must not be below the least, {LeastTraces}.");
        if (Alpha is not (>= 0.001 and <= 0.2))
            yield return (nameof(Alpha), "Alpha is 0.001 to 0.2.");
        foreach (var (field, threshold) in new[] { (nameof(PsiThreshold), PsiThreshold), (nameof(KsThreshold), KsThreshold), (nameof(RefusalThreshold), RefusalThreshold), (nameof(MmdThreshold), MmdThreshold) })
            if (threshold is not (>= 0 and < 2))
                yield return (field, "A threshold is 0 to below 2.");
        if (RefusalPhrases?.Count > MostPhrases)
            yield return (nameof(RefusalPhrases), $"At most {MostPhrases} phrases; these are {RefusalPhrases.Count}.");
        else if (RefusalPhrases?.Select(p => p ?? "").FirstOrDefault(p => p.Trim().Length is < ShortestPhrase or > LongestPhrase) is { } wrong)
            yield return (nameof(RefusalPhrases), $"A phrase has {ShortestPhrase} to {LongestPhrase} characters; change '{(wrong.Length > 40 ? wrong[..40] + "…" : wrong)}'.");
    }

    public void Ensure()
    {
        var problems = Problems().Select(p => p.Text).Distinct().ToList();
        if (problems.Count > 0)
            throw LlmOpsException.Invalid(string.Join(" ", problems));
    }
}

using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Tracing.Drift;

/// <summary>One number for how far the window is from its baseline.</summary>
/// <param name="Name">"prompt-tokens", "completion-tokens", "latency-ms", "refusals" or "embeddings".</param>
/// <param name="Method">"psi", "ks", "difference" or "mmd".</param>
/// <param name="Low">Of the interval at the level of one measure; null where the method has none, as the index without resampling.</param>
/// <param name="PValue">Of no difference; null where there is no test.</param>
/// <param name="Baseline">Median, or share, of the baseline; null for embeddings.</param>
public sealed record DriftMeasure(string Name, string Method, double Value, double? Low, double? High, double? PValue, double Threshold, Verdict Verdict, double? Baseline, double? Window, int BaselineCount, int WindowCount)
{
    /// <summary>Shares of the baseline and of the window in the same bins, for a picture; empty where there are none.</summary>
    public IReadOnlyList<DriftBin> Bins { get; init; } = [];
}

/// <param name="UpTo">Upper end of the bin; null for the last.</param>
public sealed record DriftBin(double? UpTo, double Baseline, double Window);

/// <param name="BaselineTraces">How many traces each side has; of these at most the policy's number was read.</param>
/// <param name="Level">What one measure may err at, so that all together keep to the policy's alpha.</param>
/// <param name="Embedder">What made the vectors; null when nothing could.</param>
public sealed record DriftReport(string Deployment, DriftPolicy Policy, DateTimeOffset BaselineFrom, DateTimeOffset WindowFrom, DateTimeOffset WindowTo, int BaselineTraces, int WindowTraces, double Level, string? Embedder,
    IReadOnlyList<DriftMeasure> Measures, Verdict Verdict, string Words)
{
    /// <summary>What told that an answer refuses, "signal", "phrase" or "english", with how many on each side; nothing where nobody refused.</summary>
    public IReadOnlyList<DriftRefusals> Refusals { get; init; } = [];
    /// <summary>Traces of the window in which it shows, for each measure that has some.</summary>
    public IReadOnlyList<DriftExamples> Examples { get; init; } = [];
}

public sealed record DriftRefusals(string Source, int Baseline, int Window);

/// <param name="Name">Of the measure.</param>
/// <param name="Why">What they have in common, in words.</param>
public sealed record DriftExamples(string Name, string Why, IReadOnlyList<DriftExample> Traces);

/// <param name="Value">Tokens, milliseconds, or the cosine to the middle of the baseline; null for a refusal.</param>
public sealed record DriftExample(string TraceId, double? Value);

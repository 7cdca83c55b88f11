using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Quantization.Search;

/// <summary>What a search tried and found.</summary>
/// <param name="Goal">In words.</param>
/// <param name="Best">Name of the best candidate that meets the goal; null when none does.</param>
/// <param name="Stopped">Why the search ended, in words.</param>
/// <param name="Candidates">In the order tried, those left out last; the source is the first.</param>
/// <param name="Seconds">Wall-clock time.</param>
public sealed record SearchReport(string Goal, string? Best, string Stopped, IReadOnlyList<CandidateReport> Candidates, double Seconds);

/// <summary>One candidate with everything that was measured.</summary>
/// <param name="Name">Short name of the pass and its options.</param>
/// <param name="Pass">What made it; null for the source.</param>
/// <param name="Folder">Where it is; null when it was not made.</param>
/// <param name="PredictedBytes">Size computed from the options before anything was made; the order of the search.</param>
/// <param name="Verdict">Whether it keeps the goal's limits; null when it was not measured.</param>
/// <param name="OnFront">Not dominated in divergence, size and, when measured, decode and prefill speed.</param>
/// <param name="Reused">Found from an earlier search.</param>
/// <param name="Note">Why it was not made, or failed; otherwise empty.</param>
public sealed record CandidateReport(string Name, QuantizationPass? Pass, string? Folder, long PredictedBytes, GoalVerdict? Verdict, bool OnFront, bool Reused, string Note)
{
    /// <summary>What the pass did.</summary>
    public QuantizationReport? Quantization { get; init; }

    /// <summary>How far it is from the source.</summary>
    public ComparisonReport? Comparison { get; init; }

    /// <summary>Load time, memory and speed.</summary>
    public ProbeReport? Speed { get; init; }
}

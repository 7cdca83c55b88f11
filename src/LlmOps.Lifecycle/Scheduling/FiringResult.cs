using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>A number of one firing, kept for the trend.</summary>
public sealed record FiringMetric(string Name, double Value, bool HigherIsBetter);

/// <summary>What became of a firing. Written once, when its run is over.</summary>
public sealed record FiringResult(PipelineState RunState)
{
    public string? Error { get; init; }
    public Guid? CandidateRunId { get; init; }
    public Guid? BaselineRunId { get; init; }
    public IReadOnlyList<RuleResult> Reasons { get; init; } = [];
    public IReadOnlyList<FiringMetric> Metrics { get; init; } = [];
    public Guid? IncidentId { get; init; }
}

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>
/// The numbers of one task of a finished run in one piece, so that comparing large runs reads a few megabytes and not a row at a time. Derived from the
/// <see cref="RowScore"/>s and never the truth: it counts only while its stamp is the run's.
/// </summary>
public sealed class PackedColumns
{
    public Guid EvaluationRunId { get; init; }
    public required string Task { get; init; }
    /// <summary>When the run ended; a run that was continued has another end.</summary>
    public DateTimeOffset EndedAt { get; init; }
    public required byte[] Bytes { get; init; }
}

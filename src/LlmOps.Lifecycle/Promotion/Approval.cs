namespace LlmOps.Lifecycle.Promotion;

public enum ApprovalState { WaitingForApproval, Approved, Rejected, Expired, Withdrawn }

public enum Verdict { Pass, Fail, CannotTell }

/// <summary>What the gate decided about one variant, and why. Kept as it was decided.</summary>
public sealed class GateDecision
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid VersionId { get; init; }
    public required string VariantName { get; init; }
    public Verdict Verdict { get; init; }
    public bool Chosen { get; init; }
    /// <summary>List of <see cref="RuleResult"/>, JSON.</summary>
    public required string ReasonsJson { get; init; }
    public required string PolicyJson { get; init; }
    public Guid? EvaluationRunId { get; init; }
    public Guid JobId { get; init; }
    public Guid? StageRunId { get; init; }
    public DateTimeOffset At { get; init; }
}

/// <summary>A request to move an alias. What is signed is the evidence: its hash is fixed when the request is made.</summary>
public sealed class ApprovalRequest
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ModelId { get; init; }
    public Guid VersionId { get; init; }
    public required string VariantName { get; init; }
    public required string AliasName { get; init; }
    /// <summary>Who holds the alias when the request is made; approval is refused if that changed.</summary>
    public Guid? ExpectedVersionId { get; init; }
    public ApprovalState State { get; set; }
    public required string EvidenceJson { get; init; }
    public required string EvidenceDigest { get; init; }
    public Guid RequestedById { get; init; }
    public required string RequestedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset ExpiresAt { get; init; }
    public Guid? DecidedById { get; set; }
    public string? DecidedBy { get; set; }
    public DateTimeOffset? DecidedAt { get; set; }
    public string? Comment { get; set; }
    public Guid? StageRunId { get; init; }
    public int Revision { get; set; }
}

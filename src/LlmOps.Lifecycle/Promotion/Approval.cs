namespace LlmOps.Lifecycle.Promotion;

public enum ApprovalState { WaitingForApproval, Approved, Rejected, Expired, Withdrawn, Voided }

public enum Verdict { Pass, Fail, CannotTell }

public enum PromotionKind { Promotion, Rollback, Override }

public enum SignatureDecision { Approve, Reject }

/// <summary>Rules that decide a promotion. Never changed: other rules are another version.</summary>
public sealed class GatePolicy
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public int Number { get; init; }
    public required string Yaml { get; init; }
    public required string Digest { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

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
    public Guid? PolicyId { get; init; }
    /// <summary>The how-manieth look at this candidate, from 1: each one spends a part of the false-alarm rate.</summary>
    public int Look { get; init; }
    /// <summary>Effects, intervals and the rows still needed, JSON.</summary>
    public string? ReportJson { get; init; }
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
    /// <summary>How many different people must sign.</summary>
    public int RequiredApprovals { get; init; } = 1;
    public PromotionKind Kind { get; init; }
    /// <summary>Why it is asked for; an override must say it.</summary>
    public string? Reason { get; init; }
    /// <summary>What changed in the evidence, so that the signatures no longer count.</summary>
    public string? VoidedReason { get; set; }
    public int Revision { get; set; }
}

/// <summary>One person's word on one bundle of evidence, named by its digest.</summary>
public sealed class ApprovalSignature
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ApprovalId { get; init; }
    public Guid PersonId { get; init; }
    public required string PersonName { get; init; }
    public Guid? OnBehalfOfId { get; init; }
    public string? OnBehalfOf { get; init; }
    public SignatureDecision Decision { get; init; }
    public required string EvidenceDigest { get; init; }
    public required string Comment { get; init; }
    public DateTimeOffset At { get; init; }
}

public sealed class ApprovalComment
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ApprovalId { get; init; }
    public Guid PersonId { get; init; }
    public required string PersonName { get; init; }
    public required string Text { get; init; }
    public DateTimeOffset At { get; init; }
}

/// <summary>For a time, one person may sign in another's place.</summary>
public sealed class Delegation
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid FromId { get; init; }
    public required string FromName { get; init; }
    public Guid ToId { get; init; }
    public required string ToName { get; init; }
    public DateTimeOffset StartsAt { get; init; }
    public DateTimeOffset EndsAt { get; init; }
    public required string Reason { get; init; }
    public DateTimeOffset? RevokedAt { get; set; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A signed statement about a promotion that anybody can check without this server.</summary>
public sealed class Attestation
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ApprovalId { get; init; }
    public required string SubjectDigest { get; init; }
    public required string EnvelopeJson { get; init; }
    public required string KeyId { get; init; }
    public DateTimeOffset At { get; init; }
}

/// <summary>The public half of a key the server signed with; kept after it is retired, so that old statements can be checked.</summary>
public sealed class SigningKey
{
    public required string KeyId { get; init; }
    public required string PublicKeyPem { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? RetiredAt { get; set; }
}

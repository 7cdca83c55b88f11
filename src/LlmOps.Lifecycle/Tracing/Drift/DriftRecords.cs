using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Tracing.Drift;

/// <summary>Whether and how a deployment's traffic is compared with its own past.</summary>
public sealed class DriftWatch
{
    public Guid DeploymentId { get; init; }
    /// <summary>A <see cref="DriftPolicy"/>, JSON.</summary>
    public required string PolicyJson { get; set; }
    public bool Enabled { get; set; } = true;
    public DateTimeOffset? CheckedAt { get; set; }
    public required string ChangedBy { get; set; }
    public DateTimeOffset ChangedAt { get; set; }
}

/// <summary>One comparison that was made, with everything that is needed to make it again.</summary>
public sealed class DriftCheck
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid DeploymentId { get; init; }
    public DateTimeOffset At { get; init; }
    public Verdict Verdict { get; init; }
    /// <summary>A <see cref="DriftReport"/>, JSON.</summary>
    public required string ReportJson { get; init; }
}

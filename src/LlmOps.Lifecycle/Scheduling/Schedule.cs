using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>What happens when a firing is due while the one before still runs.</summary>
public enum OverlapPolicy { Skip, Queue, CancelPrevious }

/// <summary>What happens when firings were due while nothing ran: one for all of them, or none.</summary>
public enum CatchUpPolicy { Once, Skip }

public enum FiringOutcome { Started, Skipped, Failed }

public enum NotificationState { Waiting, Sent, Failed }

/// <summary>Work that starts by the clock. Hangfire fires it; this row is what people edit and what survives Hangfire's storage.</summary>
public sealed class Schedule
{
    public const string Pipeline = "pipeline";
    public const string Regression = "regression";

    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    /// <summary>"pipeline" or "regression".</summary>
    public string Kind { get; init; } = Pipeline;
    /// <summary>The pipeline it starts; null for a regression.</summary>
    public Guid? DefinitionId { get; init; }
    /// <summary>What a regression compares, JSON; null for a pipeline.</summary>
    public string? SpecJson { get; set; }
    public required string Cron { get; set; }
    public string TimeZone { get; set; } = "UTC";
    public bool Enabled { get; set; } = true;
    public OverlapPolicy Overlap { get; set; }
    public CatchUpPolicy CatchUp { get; set; }
    public DateTimeOffset? LastFiredAt { get; set; }
    public Guid? LastRunId { get; set; }
    public string? LastError { get; set; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>One due time of a schedule, claimed once.</summary>
public sealed class ScheduleFiring
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ScheduleId { get; init; }
    public DateTimeOffset DueAt { get; init; }
    public DateTimeOffset FiredAt { get; init; }
    /// <summary>Earlier due times that this firing stands for.</summary>
    public int Missed { get; init; }
    public FiringOutcome Outcome { get; set; }
    public Guid? PipelineRunId { get; set; }
    public Guid? JobId { get; set; }
    public Verdict? Verdict { get; set; }
    public string? Note { get; set; }
    public string? ResultJson { get; set; }
}

public sealed class AlertRule
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    /// <summary>The schedule it watches; null for all.</summary>
    public Guid? ScheduleId { get; set; }
    public required string Condition { get; set; }
    public required string ParametersJson { get; set; }
    public required string ChannelsJson { get; set; }
    public bool Enabled { get; set; } = true;
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Something to tell somebody. The row is the queue: it is sent until it was sent.</summary>
public sealed class Notification
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid? AlertRuleId { get; init; }
    public required string Channel { get; init; }
    public string? Target { get; init; }
    public required string Title { get; init; }
    public required string Text { get; init; }
    public string? Href { get; init; }
    public NotificationState State { get; set; }
    public int Attempts { get; set; }
    public DateTimeOffset? NotBefore { get; set; }
    public string? Error { get; set; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? SentAt { get; set; }
    public DateTimeOffset? ReadAt { get; set; }
}

/// <summary>A regression that somebody has to look at.</summary>
public sealed class Incident
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Title { get; set; }
    public Guid? ScheduleId { get; init; }
    /// <summary>The deployment whose traffic drifted; null for a regression.</summary>
    public Guid? DeploymentId { get; init; }
    public Guid? EvaluationRunId { get; set; }
    public Guid? BaselineRunId { get; set; }
    /// <summary>The rows that broke, JSON.</summary>
    public required string DetailJson { get; set; }
    public DateTimeOffset OpenedAt { get; init; }
    public string? AcknowledgedBy { get; set; }
    public DateTimeOffset? AcknowledgedAt { get; set; }
    public string? ResolvedBy { get; set; }
    public DateTimeOffset? ResolvedAt { get; set; }
    public string? Note { get; set; }
}

using LlmOps.Lifecycle.Identity;

namespace LlmOps.Lifecycle.Jobs;

public enum JobState { Queued, Running, Succeeded, Failed, Cancelled }

/// <summary>One piece of long work. The row is the queue and the truth; messages about it are only hints.</summary>
public sealed class Job
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    /// <summary>Name of the handler. Stored: never rename one.</summary>
    public required string Kind { get; init; }
    public required string SpecJson { get; init; }
    public JobState State { get; set; }
    /// <summary>How often a worker has started this job.</summary>
    public int Attempt { get; set; }
    public int MaxAttempts { get; init; } = 5;
    public DateTimeOffset? NotBefore { get; set; }
    /// <summary>What a worker must have: "cpu" or "gpu".</summary>
    public string Needs { get; init; } = "cpu";
    public long MemoryBytes { get; init; }
    public Guid? WorkerId { get; set; }
    public string? WorkerName { get; set; }
    /// <summary>Grows with every claim. A worker that lost its lease holds an old number and can write nothing any more.</summary>
    public long FencingToken { get; set; }
    public DateTimeOffset? LeaseUntil { get; set; }
    public bool CancelRequested { get; set; }
    /// <summary>What a person asked of a running training: "" for nothing, or one of <see cref="JobControl"/>.</summary>
    public string Control { get; set; } = "";
    public double Progress { get; set; }
    public string? ProgressText { get; set; }
    public string? Error { get; set; }
    public string? ResultJson { get; set; }
    public Guid? StageRunId { get; init; }
    public Guid CreatedById { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? StartedAt { get; set; }
    public DateTimeOffset? EndedAt { get; set; }

    public bool IsOver => State is JobState.Succeeded or JobState.Failed or JobState.Cancelled;

    public static Job Queue(string kind, string specJson, Actor actor, DateTimeOffset now, Guid? stageRunId = null, string needs = "cpu", int maxAttempts = 5) => new()
    {
        Kind = kind, SpecJson = specJson, State = JobState.Queued, StageRunId = stageRunId, Needs = needs, MaxAttempts = maxAttempts,
        CreatedById = actor.Id, CreatedBy = actor.Name, CreatedAt = now,
    };
}

/// <summary>What a person can ask of a training besides cancelling it.</summary>
public static class JobControl
{
    /// <summary>Save a checkpoint and wait; the job is queued and no worker claims it until the word is taken back.</summary>
    public const string Pause = "pause";
    /// <summary>End now as if this had been the last step: the weights so far become the result.</summary>
    public const string StopAndKeep = "stop-and-keep";
}

/// <summary>A line of a job's log.</summary>
public sealed class JobLogLine
{
    public long Id { get; init; }
    public Guid JobId { get; init; }
    public int Attempt { get; init; }
    public DateTimeOffset At { get; init; }
    /// <summary>"info", "warning" or "error".</summary>
    public required string Level { get; init; }
    public required string Text { get; init; }
}

/// <summary>A process that carries out jobs. It is alive while its heartbeat is recent.</summary>
public sealed class WorkerNode
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public required string Host { get; init; }
    public int ProcessId { get; init; }
    public int Slots { get; init; }
    public required string Provides { get; init; }
    public long MemoryBytes { get; init; }
    public string? DataFolder { get; init; }
    public DateTimeOffset StartedAt { get; init; }
    public DateTimeOffset HeartbeatAt { get; set; }
    public DateTimeOffset? StoppedAt { get; set; }
}

namespace LlmOps.Lifecycle.Tracking;

public enum RunState { Running, Succeeded, Failed, Cancelled }

public sealed class Experiment
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public string Description { get; set; } = "";
    public DateTimeOffset CreatedAt { get; init; }
}

public sealed class Run
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ExperimentId { get; init; }
    public Experiment? Experiment { get; init; }
    public required string Name { get; init; }
    public RunState State { get; set; }
    public Guid? JobId { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset StartedAt { get; init; }
    public DateTimeOffset? EndedAt { get; set; }
    /// <summary>How the training ended in the trainer's own judgement ("converged", "plateau", "overfitting", …); null while it runs and for runs that have none.</summary>
    public string? Verdict { get; set; }
    /// <summary>One sentence that says why.</summary>
    public string? VerdictText { get; set; }
    /// <summary>The trial of a sweep that this run belongs to.</summary>
    public Guid? SweepTrialId { get; set; }
    public List<Param> Params { get; init; } = [];
}

public sealed class Param
{
    public Guid RunId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; init; }
}

/// <summary>One point of a curve. Append-only; (run, key, step) is unique, so a job that runs twice adds nothing twice.</summary>
public sealed class Metric
{
    public Guid RunId { get; init; }
    public required string Key { get; init; }
    public int Step { get; init; }
    public double Value { get; init; }
    public DateTimeOffset At { get; init; }
}

/// <summary>What a model made at one step of its training: a text, or a picture in the artifact store. (run, step, title) is unique, so a job that runs twice adds nothing twice.</summary>
public sealed class RunOutput
{
    public const string Text = "text/plain";
    public const string Png = "image/png";

    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid RunId { get; init; }
    public int Step { get; init; }
    public required string Title { get; init; }
    public required string MediaType { get; init; }
    public string? Content { get; init; }
    public string? Digest { get; init; }
    public DateTimeOffset At { get; init; }
}

/// <summary>A state of a training that it can go on from. Only some are kept; the row of one that was removed says so.</summary>
public sealed class RunCheckpoint
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid RunId { get; init; }
    public int Step { get; init; }
    public required string Digest { get; init; }
    public double Loss { get; init; }
    public double? HeldOutLoss { get; init; }
    /// <summary>The lowest held-out loss of the run so far.</summary>
    public bool Best { get; set; }
    public long SizeBytes { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? RemovedAt { get; set; }
}

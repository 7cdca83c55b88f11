namespace LlmOps.Lifecycle.Tracking;

public enum RunState { Running, Succeeded, Failed, Cancelled, Scheduled }

public sealed class Experiment
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; set; }
    public string Description { get; set; } = "";
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? UpdatedAt { get; set; }
    /// <summary>Set while it is deleted; it can be restored, and its name stays taken.</summary>
    public DateTimeOffset? DeletedAt { get; set; }
    /// <summary>Where its runs put their files; null for this server's own store.</summary>
    public string? ArtifactLocation { get; init; }
    public List<ExperimentTag> Tags { get; init; } = [];
}

public sealed class Run
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ExperimentId { get; init; }
    public Experiment? Experiment { get; init; }
    public required string Name { get; set; }
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
    /// <summary>Set while it is deleted, by itself or with its experiment; it can be restored.</summary>
    public DateTimeOffset? DeletedAt { get; set; }
    public List<RunTag> Tags { get; init; } = [];
    public List<Param> Params { get; init; } = [];
}

public sealed class Param
{
    public Guid RunId { get; init; }
    /// <summary>This and the next are those of its run, which never change: an index holds the values of an experiment with the newest run first.</summary>
    public required Guid ExperimentId { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
    public required string Key { get; init; }
    public required string Value { get; init; }
    /// <summary>What the index holds of the value; see <see cref="IndexedText"/>.</summary>
    public string Head { get => IndexedText.Head(Value); private set { } }
}

/// <summary>
/// One point of a curve. Append-only: a client may log several values at one step. The whole point is the key, so what is sent or worked out twice is stored once.
/// </summary>
public sealed class Metric
{
    public Guid RunId { get; init; }
    public required string Key { get; init; }
    public long Step { get; init; }
    public DateTimeOffset At { get; init; }
    /// <summary>0 where <see cref="IsNan"/>: SQLite stores no NaN.</summary>
    public double Value { get; init; }
    public bool IsNan { get; init; }
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

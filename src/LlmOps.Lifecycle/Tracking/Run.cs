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

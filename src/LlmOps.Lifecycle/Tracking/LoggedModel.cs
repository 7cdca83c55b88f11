namespace LlmOps.Lifecycle.Tracking;

public enum LoggedModelState { Pending, Ready, UploadFailed }

/// <summary>A model that a client logged: files, parameters and numbers, before anybody registers it.</summary>
public sealed class LoggedModel
{
    public const string IdStart = "m-";

    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ExperimentId { get; init; }
    public Experiment? Experiment { get; init; }
    public required string Name { get; init; }
    public string? ModelType { get; init; }
    public Guid? SourceRunId { get; init; }
    public LoggedModelState State { get; set; }
    public string? StateMessage { get; set; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset UpdatedAt { get; set; }
    public DateTimeOffset? DeletedAt { get; set; }
    public List<LoggedModelParam> Params { get; init; } = [];
    public List<LoggedModelTag> Tags { get; init; } = [];
    public List<LoggedModelMetric> Metrics { get; init; } = [];
}

public sealed class LoggedModelParam
{
    public Guid ModelId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; init; }
}

public sealed class LoggedModelTag
{
    public Guid ModelId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; set; }
}

/// <summary>The newest value of a metric of a logged model, by the run that measured it and the data it was measured on.</summary>
public sealed class LoggedModelMetric
{
    public Guid ModelId { get; init; }
    public Guid RunId { get; init; }
    public required string Key { get; init; }
    public string DatasetName { get; init; } = "";
    public string DatasetDigest { get; init; } = "";
    public double Value { get; set; }
    public bool IsNan { get; set; }
    public long Step { get; set; }
    public DateTimeOffset At { get; set; }
}

/// <summary>A run has read a logged model, or has made it at a step.</summary>
public sealed class RunModel
{
    public Guid RunId { get; init; }
    public Guid ModelId { get; init; }
    public bool IsOutput { get; init; }
    public long Step { get; init; }
}

namespace LlmOps.Lifecycle.Pipelines;

public enum PipelineState { Running, WaitingForApproval, Succeeded, Failed, Cancelled }

public enum StageState { Pending, Queued, Running, WaitingForApproval, Succeeded, Failed, Cancelled }

public sealed class PipelineDefinition
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public required string Yaml { get; set; }
    public string Description { get; set; } = "";
    /// <summary>Folder that relative paths in the YAML start from.</summary>
    public required string Folder { get; set; }
    public int Revision { get; set; }
    public DateTimeOffset ChangedAt { get; set; }
    public required string ChangedBy { get; set; }
}

/// <summary>One execution of a definition. It keeps the YAML it was started with.</summary>
public sealed class PipelineRun
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid DefinitionId { get; init; }
    public PipelineDefinition? Definition { get; init; }
    public required string Name { get; init; }
    public int Number { get; init; }
    public required string Yaml { get; init; }
    public required string Folder { get; init; }
    public PipelineState State { get; set; }
    public Guid CreatedById { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; set; }
    public List<StageRun> Stages { get; init; } = [];

    public bool IsOver => State is PipelineState.Succeeded or PipelineState.Failed or PipelineState.Cancelled;
}

public sealed class StageRun
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid PipelineRunId { get; init; }
    public PipelineRun? PipelineRun { get; init; }
    public int Ordinal { get; init; }
    public required string Name { get; init; }
    public required string Kind { get; init; }
    /// <summary>Names of the stages that must succeed first, separated by commas.</summary>
    public required string Needs { get; init; }
    /// <summary>Parameters as written, references not yet resolved; JSON.</summary>
    public required string ParametersJson { get; init; }
    public StageState State { get; set; }
    /// <summary>Grows when a person retries or re-runs the stage; unique with the stage in the job table.</summary>
    public int Round { get; set; }
    public Guid? JobId { get; set; }
    public string? OutputsJson { get; set; }
    public string? Error { get; set; }
    public DateTimeOffset? StartedAt { get; set; }
    public DateTimeOffset? EndedAt { get; set; }

    public IReadOnlyList<string> NeedNames => Needs.Length == 0 ? [] : Needs.Split(',');
    public bool IsOver => State is StageState.Succeeded or StageState.Failed or StageState.Cancelled;
}

namespace LlmOps.Lifecycle.Sweeps;

public enum SweepState { Running, Succeeded, Failed, Stopped }

public enum TrialState { Planned, Running, Succeeded, Failed, Stopped }

/// <summary>A search over the parameters of one training stage. Every decision derives from its rows, so it may be made twice.</summary>
public sealed class Sweep
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public string Description { get; init; } = "";
    /// <summary>The pipeline as it was when the sweep began; a later change of the definition changes nothing here.</summary>
    public required string PipelineYaml { get; init; }
    public required string Pipeline { get; init; }
    /// <summary>The training stage whose parameters are searched.</summary>
    public required string Stage { get; init; }
    public required string SpaceJson { get; init; }
    /// <summary>"grid", "random", "halving" or "tpe".</summary>
    public required string Method { get; init; }
    /// <summary>Options of the method (rungs, budget parameter …).</summary>
    public string SettingsJson { get; init; } = "{}";
    public required string Metric { get; init; }
    public bool Minimise { get; init; } = true;
    public int MaxTrials { get; init; }
    public int Parallel { get; init; } = 1;
    public int Seed { get; init; }
    public SweepState State { get; set; }
    public string? Error { get; set; }
    public Guid CreatedById { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; set; }
    public List<SweepTrial> Trials { get; init; } = [];
}

/// <summary>One choice of parameters, carried out by an ordinary pipeline run. (sweep, number) is unique.</summary>
public sealed class SweepTrial
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid SweepId { get; init; }
    public Sweep? Sweep { get; init; }
    public int Number { get; init; }
    /// <summary>Which round of successive halving; 0 for the other methods.</summary>
    public int Rung { get; init; }
    /// <summary>The trial of the rung below that this one continues with a larger budget.</summary>
    public Guid? PromotedFromId { get; init; }
    public required string ParametersJson { get; init; }
    public Guid? PipelineRunId { get; set; }
    public Guid? RunId { get; set; }
    public TrialState State { get; set; }
    public double? Value { get; set; }
    /// <summary>Why it failed; of a promoted trial that succeeded, why it began anew instead of going on from the rung below.</summary>
    public string? Error { get; set; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; set; }
}

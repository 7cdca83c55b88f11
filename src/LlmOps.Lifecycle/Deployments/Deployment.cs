namespace LlmOps.Lifecycle.Deployments;

public enum DeploymentKind { Chat, Rag }

public sealed class Deployment
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public DeploymentKind Kind { get; init; }
    public bool Stopped { get; set; }
    public DateTimeOffset CreatedAt { get; init; }
    public required string CreatedBy { get; init; }
    public int Revision { get; set; }
    public List<Revision> Revisions { get; init; } = [];
}

/// <summary>What a deployment serves. Never changed: a new choice is a new revision.</summary>
public sealed class Revision
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid DeploymentId { get; init; }
    public Deployment? Deployment { get; init; }
    public int Number { get; init; }
    public Guid VersionId { get; init; }
    public required string VariantName { get; init; }
    public Guid? IndexBuildId { get; init; }
    /// <summary>Share of the requests, in percent. The active revisions of a deployment add up to 100.</summary>
    public int TrafficPercent { get; set; }
    /// <summary>Share of the deployment's requests that are copied to this revision, in percent; nobody sees its answers.</summary>
    public int ShadowPercent { get; set; }
    public string SettingsJson { get; init; } = "{}";
    public Guid? ProducedByJobId { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

namespace LlmOps.Web.Components.Shared;

/// <summary>A box of the diagram. <see cref="Id"/> is the stage's name in the YAML.</summary>
public sealed record DiagramStage(string Id, string Name, string Kind)
{
    /// <summary>Second line instead of the kind.</summary>
    public string? Detail { get; init; }
    /// <summary>Only in runs: the name of the stage's state.</summary>
    public string? State { get; init; }
    /// <summary>0 to 1.</summary>
    public double? Progress { get; init; }
    public int? X { get; init; }
    public int? Y { get; init; }
}

public sealed record DiagramEdge(string Source, string Target);

/// <summary>A pipeline as boxes and arrows. Stages without a place are laid out.</summary>
public sealed record DiagramModel(IReadOnlyList<DiagramStage> Stages, IReadOnlyList<DiagramEdge> Edges);

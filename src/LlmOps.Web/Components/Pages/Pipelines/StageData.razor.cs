using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>What a stage was given by others and what it gave, as links.</summary>
public sealed partial class StageData
{
    private sealed record Input(string Parameter, string Stage, string Output, string? Value);

    private IReadOnlyList<Input> inputs = [];

    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Parameter, EditorRequired] public StageDetail Stage { get; set; } = null!;

    protected override void OnParametersSet()
    {
        var written = Parse(Stage.ParametersJson);
        var resolved = Stage.ResolvedJson is null ? null : Parse(Stage.ResolvedJson);
        inputs = [.. written.SelectMany(p => StageGraph.References(new JsonObject { [p.Key] = p.Value?.DeepClone() })
            .Select(r => new Input(p.Key, r.Stage, r.Output, resolved?[p.Key]?.ToString())))];
    }

    private static JsonObject Parse(string json) => JsonNode.Parse(json) as JsonObject ?? [];
}

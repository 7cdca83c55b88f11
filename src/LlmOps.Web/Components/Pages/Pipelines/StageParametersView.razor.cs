using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>Every parameter of a stage: what it ran with, what was written, what the default is.</summary>
public sealed partial class StageParametersView
{
    private sealed record Row(string Name, string Value, string? Written, bool IsDefault, string? Unit, string Help);

    private IReadOnlyList<Row> rows = [];

    [Parameter, EditorRequired] public StageDetail Stage { get; set; } = null!;

    protected override void OnParametersSet()
    {
        var written = StageForm.Values(JsonNode.Parse(Stage.ParametersJson) as JsonObject ?? []);
        var resolved = StageForm.Values(JsonNode.Parse(Stage.ResolvedJson ?? Stage.ParametersJson) as JsonObject ?? []);
        rows = StageKinds.Find(Stage.Kind) is not { } kind ? [] : [.. StageForm.Fields(kind).Select(f => new Row(f.Name,
            (resolved.TryGetValue(f.Name, out var value) ? value : f.Default ?? "").ReplaceLineEndings(", "),
            written.GetValueOrDefault(f.Name)?.ReplaceLineEndings(", "), !written.ContainsKey(f.Name), f.Unit, f.Help ?? ""))];
    }
}

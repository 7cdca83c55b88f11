using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>Asks for the outputs that a failed stage did not make.</summary>
public sealed partial class MarkSucceeded
{
    private readonly Dictionary<string, string> values = [];
    private ModalDialog dialog = null!;
    private IReadOnlyList<string> outputs = [];
    private HashSet<string> needed = [];

    [Inject] private ControlPipeline Control { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public PipelineRunDetail Run { get; set; } = null!;
    [Parameter, EditorRequired] public StageDetail Stage { get; set; } = null!;
    [Parameter, EditorRequired] public EventCallback OnMarked { get; set; }

    public Task OpenAsync()
    {
        values.Clear();
        outputs = StageKinds.Find(Stage.Kind)?.Outputs ?? [];
        needed = [.. outputs.Where(o => Run.Stages.Any(s => s.ParametersJson.Contains($"${{{Stage.Name}.{o}}}", StringComparison.Ordinal)))];
        return dialog.OpenAsync();
    }

    private static string Example(string output) => output switch
    {
        "version" => "quickstart-lm/3",
        "variant" => "int8",
        "index" => "product-docs/1",
        "tokenizer" => "digest of the artifact",
        _ => "name/1",
    };

    private async Task MarkAsync()
    {
        var given = values.Where(v => !string.IsNullOrWhiteSpace(v.Value)).ToDictionary(v => v.Key, v => v.Value.Trim());
        await Control.MarkSucceededAsync(Run.Id, Stage.Name, given, Actor);
        await dialog.CloseAsync();
        await OnMarked.InvokeAsync();
    }
}

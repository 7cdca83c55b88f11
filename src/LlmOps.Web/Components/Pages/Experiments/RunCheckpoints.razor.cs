using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Web.Components.Pages.Pipelines;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Experiments;

/// <summary>The states of a training that it can be gone on from.</summary>
public sealed partial class RunCheckpoints
{
    /// <summary>What a person may want otherwise the second time; the rest is changed in the pipeline.</summary>
    private static readonly string[] Changeable = ["epochs", "max_steps", "learning_rate", "patience"];
    private ModalDialog dialog = null!;
    private IReadOnlyList<CheckpointRow>? checkpoints;
    private IReadOnlyList<ParameterField> fields = [];
    private IReadOnlyDictionary<string, string> values = new Dictionary<string, string>(), given = new Dictionary<string, string>();
    private CheckpointRow? asked;

    [Inject] private ReadRunOutputs Outputs { get; set; } = null!;
    [Inject] private StartFromCheckpoint Start { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public RunDetail Run { get; set; } = null!;

    protected override async Task OnParametersSetAsync() => checkpoints = await Outputs.CheckpointsAsync(Run.Id);

    private string? Against(CheckpointRow row) => Actor.Objection(Permission.RunPipelines)
        ?? (Run.Origin is null ? "The run belongs to no stage of a pipeline." : row.Kept ? null : "This checkpoint was removed. Those of the newest steps and the best one are kept.");

    private Task AskAsync(CheckpointRow row)
    {
        asked = row;
        fields = StageKinds.Find(Run.Origin!.Kind) is { } kind ? [.. StageForm.Fields(kind).Where(f => Changeable.Contains(f.Name))] : [];
        given = Run.Params.Where(p => fields.Any(f => f.Name == p.Key)).ToDictionary(p => p.Key, p => p.Value);
        values = given;
        return dialog.OpenAsync();
    }

    private string? Before(string name) => given.GetValueOrDefault(name) ?? fields.First(f => f.Name == name).Default;

    private async Task ContinueAsync()
    {
        var changes = fields.Select(f => (f.Name, Value: values.GetValueOrDefault(f.Name) ?? f.Default ?? "")).Where(c => c.Value.Length > 0 && c.Value != Before(c.Name)).ToDictionary(c => c.Name, c => c.Value);
        var run = await Start.StartAsync(asked!.Id, changes, Actor);
        await dialog.CloseAsync();
        Navigation.NavigateTo($"/pipeline-runs/{run.Id}?stage={Uri.EscapeDataString(Run.Origin!.Stage)}");
    }
}

using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Judges;

public sealed partial class JudgePage
{
    private JudgeDetail? judge;
    private IReadOnlyList<string> datasets = [];
    private string dataset = "";
    private int rows = 200;
    private double atLeast;
    private Guid? job;

    [Inject] private ReadJudges Judges { get; set; } = null!;
    [Inject] private ReadDatasets Datasets { get; set; } = null!;
    [Inject] private StartCalibration Calibration { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public string Name { get; set; } = "";
    [SupplyParameterFromQuery] private int? Number { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines) ?? (dataset.Trim().Length == 0 ? "Name a preference dataset, such as facts/1." : null);

    protected override async Task OnParametersSetAsync()
    {
        await ReadAsync();
        datasets = [.. (await Datasets.ListAsync(new(), DatasetKind.Preference)).Rows.Select(d => $"{d.Name}/{d.Newest}")];
    }

    private async Task ReadAsync() => judge = await Judges.GetAsync(Name, Number);

    private async Task CalibrateAsync()
    {
        job = await Calibration.StartAsync(new() { Judge = judge!.Key, Preferences = dataset.Trim(), MaxRows = rows, AtLeast = atLeast }, Actor);
        StateHasChanged();
    }
}

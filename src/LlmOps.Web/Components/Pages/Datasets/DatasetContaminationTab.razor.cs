using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Datasets;

/// <summary>Which trainings touched the dataset's rows, and which rows.</summary>
public sealed partial class DatasetContaminationTab
{
    private DatasetContamination? found;
    private Guid? job;

    [Inject] private ReadContamination Ledger { get; set; } = null!;
    [Inject] private StartContaminationCheck Check { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public DatasetVersionDetail Version { get; set; } = null!;

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    /// <summary>The report in the address; with only one that found rows, that one.</summary>
    private LedgerEntry? Chosen
    {
        get
        {
            var dirty = found!.Measured.Concat(found.Trained).Where(e => e.ExactRows + e.NearRows > 0).ToList();
            return dirty.Find(e => e.Id.ToString() == QueryText.Read(Navigation.Uri, "report")) ?? (dirty.Count == 1 ? dirty[0] : null);
        }
    }

    protected override Task OnParametersSetAsync() => ReadAsync();

    private async Task ReadAsync() => found = await Ledger.OfDatasetAsync(Version.Key);

    private async Task StartAsync()
    {
        job = await Check.StartAsync(new() { Dataset = Version.Key }, Actor);
        StateHasChanged();
    }
}

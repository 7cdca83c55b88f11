using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>What the ledger knows now about the rows of a run.</summary>
public sealed partial class ContaminationTab
{
    private ContaminationStatement? statement;
    private Guid? job;

    [Inject] private ReadContamination Ledger { get; set; } = null!;
    [Inject] private StartContaminationCheck Check { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public Guid RunId { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    protected override Task OnParametersSetAsync() => ReadAsync();

    private async Task ReadAsync() => statement = await Ledger.OfRunAsync(RunId);

    private async Task StartAsync()
    {
        job = await Check.StartAsync(new() { Runs = RunId.ToString() }, Actor);
        StateHasChanged();
    }
}

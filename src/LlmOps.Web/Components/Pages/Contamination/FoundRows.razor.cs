using LlmOps.Engines.Evaluation.Contamination;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Routing;

namespace LlmOps.Web.Components.Pages.Contamination;

/// <summary>The rows of a run, or of one report of the ledger.</summary>
public sealed partial class FoundRows : IDisposable
{
    private static readonly string[] Kinds = ["exact", "near", "contained"];

    [Inject] private ReadContamination Ledger { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter] public Guid? RunId { get; set; }
    [Parameter] public Guid? ReportId { get; set; }
    /// <summary>Training sets to choose from.</summary>
    [Parameter] public IReadOnlyList<string> Trainings { get; set; } = [];

    private FoundFilter Rows => new(QueryText.Read(Navigation.Uri, "kind"), QueryText.Read(Navigation.Uri, "training"), QueryText.Read(Navigation.Uri, "q"));

    private object Filter => (RunId, ReportId, Rows);

    private Task<Window<FoundRow>> ReadAsync(TableRequest request, CancellationToken ct) =>
        RunId is { } run ? Ledger.RowsAsync(run, Rows, request.Skip, request.Take, ct) : Ledger.ReportRowsAsync(ReportId!.Value, Rows, request.Skip, request.Take, ct);

    // The filter is in the address, and nothing else of this component changes with it.
    protected override void OnInitialized() => Navigation.LocationChanged += OnMoved;

    public void Dispose() => Navigation.LocationChanged -= OnMoved;

    private void OnMoved(object? sender, LocationChangedEventArgs e) => _ = InvokeAsync(StateHasChanged);

    /// <summary>A word and an icon, never a colour alone.</summary>
    private static string Look(ContaminationKind kind) => kind switch { ContaminationKind.Exact => "Exact", ContaminationKind.Near => "Near", _ => "Contained" };
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Experiments;

public sealed partial class ExperimentList
{
    private DataTable<ExperimentRow>? table;
    private int? total;

    [Inject] private ReadRuns Runs { get; set; } = null!;

    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }

    private Task<Window<ExperimentRow>> ReadAsync(TableRequest r, CancellationToken ct) => Runs.ExperimentsAsync(new(Search, r.Sort, r.Descending, r.Skip, r.Take), ct);
}

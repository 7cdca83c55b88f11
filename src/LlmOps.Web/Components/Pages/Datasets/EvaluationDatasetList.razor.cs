using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Datasets;

public sealed partial class EvaluationDatasetList
{
    private DataTable<EvaluationDatasetDetail>? table;
    private int? total;

    [Inject] private ReadEvaluationDatasets Datasets { get; set; } = null!;

    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }

    private Task<Window<EvaluationDatasetDetail>> ReadAsync(TableRequest r, CancellationToken ct) => Datasets.ListAsync(Search, r.Skip, r.Take, ct);
}

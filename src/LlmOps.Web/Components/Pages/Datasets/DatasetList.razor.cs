using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Datasets;

public sealed partial class DatasetList
{
    private static readonly IReadOnlyList<string> Kinds = Enum.GetNames<DatasetKind>();
    private DataTable<DatasetRow>? table;
    private ImportDialog? import;
    private int? total;

    [Inject] private ReadDatasets Datasets { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }
    [SupplyParameterFromQuery] private string? Kind { get; set; }

    private string? Objection => Actor.Objection(Permission.WriteDatasets);

    private Task<Window<DatasetRow>> ReadAsync(TableRequest r, CancellationToken ct) =>
        Datasets.ListAsync(new(Search, r.Sort, r.Descending, r.Skip, r.Take), Enum.TryParse<DatasetKind>(Kind, out var kind) ? kind : null, ct);
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

public sealed partial class ModelList
{
    private DataTable<ModelRow>? table;
    private ImportModelDialog? import;
    private int? total;

    [Inject] private ReadModels Models { get; set; } = null!;

    [CascadingParameter] public required Actor Actor { get; set; }

    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }

    private string? Objection => Actor.Objection(Permission.WriteModels);

    private Task<Window<ModelRow>> ReadAsync(TableRequest r, CancellationToken ct) => Models.ListAsync(new(Search, r.Sort, r.Descending, r.Skip, r.Take), ct);
}

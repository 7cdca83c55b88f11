using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Knowledge;

public sealed partial class KnowledgeList
{
    private DataTable<KnowledgeRow>? table;
    private int? total;

    [Inject] private ReadKnowledge Knowledge { get; set; } = null!;
    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }

    private Task<Window<KnowledgeRow>> ReadAsync(TableRequest request, CancellationToken ct) => Knowledge.ListAsync(Search, request.Skip, request.Take, ct);

    private Task RefreshAsync() => table?.RefreshAsync() ?? Task.CompletedTask;
}

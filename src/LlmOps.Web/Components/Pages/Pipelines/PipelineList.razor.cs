using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

public sealed partial class PipelineList
{
    private static readonly IReadOnlyList<string> States = Enum.GetNames<PipelineState>();
    private DataTable<PipelineRow>? definitions;
    private PipelineRunTable? runs;
    private int? total;

    [Inject] private ReadPipelines Pipelines { get; set; } = null!;

    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }
    [SupplyParameterFromQuery] private string? State { get; set; }

    private Task<Window<PipelineRow>> ReadAsync(TableRequest request, CancellationToken ct) => Pipelines.ListAsync(Search, request.Skip, request.Take, ct);

    private async Task RefreshAsync()
    {
        if (definitions is not null) await definitions.RefreshAsync();
        if (runs is not null) await runs.RefreshAsync();
    }
}

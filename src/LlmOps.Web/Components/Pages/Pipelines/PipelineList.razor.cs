using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

public sealed partial class PipelineList
{
    private static readonly IReadOnlyList<string> States = Enum.GetNames<PipelineState>();
    private static readonly IReadOnlyList<string> Origins = ["sweep", "any"];
    private DataTable<PipelineRow>? definitions;
    private PipelineRunTable? runs;
    private int? total;

    [Inject] private ReadPipelines Pipelines { get; set; } = null!;

    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }
    [SupplyParameterFromQuery] private string? State { get; set; }
    /// <summary>Absent for what somebody wrote.</summary>
    [SupplyParameterFromQuery] private string? Origin { get; set; }

    private PipelineOrigin Wanted => Enum.TryParse<PipelineOrigin>(Origin, ignoreCase: true, out var origin) ? origin : PipelineOrigin.Written;

    private Task<Window<PipelineRow>> ReadAsync(TableRequest request, CancellationToken ct) => Pipelines.ListAsync(Search, request.Skip, request.Take, Wanted, ct);

    private async Task RefreshAsync()
    {
        if (definitions is not null) await definitions.RefreshAsync();
        if (runs is not null) await runs.RefreshAsync();
    }
}

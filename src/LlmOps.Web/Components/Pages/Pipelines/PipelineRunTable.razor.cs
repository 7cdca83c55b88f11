using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>Runs of all pipelines or of one.</summary>
public sealed partial class PipelineRunTable
{
    private DataTable<PipelineRunRow>? table;

    [Inject] private ReadPipelines Pipelines { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;

    [Parameter] public string? Pipeline { get; set; }
    [Parameter] public string? Search { get; set; }
    [Parameter] public string? State { get; set; }

    public Task RefreshAsync() => table?.RefreshAsync() ?? Task.CompletedTask;

    private async Task<Window<PipelineRunRow>> ReadAsync(TableRequest request, CancellationToken ct)
    {
        var state = Enum.TryParse<PipelineState>(State, out var parsed) ? parsed : (PipelineState?)null;
        return await Pipelines.RunsAsync(new PipelineRunFilter(Pipeline, state, Search), request.Skip, request.Take, ct);
    }
}

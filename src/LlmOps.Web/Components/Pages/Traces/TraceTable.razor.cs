using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Traces;

/// <summary>Traces of all deployments or of one, filtered through the address.</summary>
public sealed partial class TraceTable
{
    private IReadOnlyList<string> deployments = [];
    private DataTable<TraceRow>? table;

    [Inject] private ReadTraces Traces { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter] public string? Deployment { get; set; }
    [Parameter] public EventCallback<int> TotalChanged { get; set; }

    private TraceFilter Filter => new(Query("q"), Deployment ?? Query("deployment"), null, Query("outcome"), Query("feedback"));
    private bool IsFiltered => Filter != new TraceFilter(Deployment: Deployment);

    public Task RefreshAsync() => table?.RefreshAsync() ?? Task.CompletedTask;

    protected override async Task OnInitializedAsync()
    {
        if (Deployment is null) deployments = await Traces.DeploymentsAsync();
    }

    private string? Query(string name) => QueryText.Read(Navigation.Uri, name);

    private Task<Window<TraceRow>> ReadAsync(TableRequest request, CancellationToken ct) => Traces.ListAsync(Filter, request.Skip, request.Take, ct);
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Deployments;

public sealed partial class DeploymentList
{
    private DataTable<DeploymentRow>? table;
    private int? total;

    [Inject] private ReadDeployments Deployments { get; set; } = null!;
    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }
    [SupplyParameterFromQuery] private string? Kind { get; set; }

    internal static string StateOf(DeploymentRow row) => row.Stopped ? "Stopped" : row.Serving.Count > 0 ? "Serving" : "Paused";

    private Task<Window<DeploymentRow>> ReadAsync(TableRequest request, CancellationToken ct) =>
        Deployments.ListAsync(Search, Enum.TryParse<DeploymentKind>(Kind, out var kind) ? kind : null, request.Skip, request.Take, ct);

    private Task RefreshAsync() => table?.RefreshAsync() ?? Task.CompletedTask;
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Traces;

public sealed partial class SessionList
{
    private DataTable<SessionRow>? table;
    private int? total;

    [Inject] private ReadSessions Sessions { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    private Task RefreshAsync() => table?.RefreshAsync() ?? Task.CompletedTask;

    private Task<Window<SessionRow>> ReadAsync(TableRequest request, CancellationToken ct) => Sessions.ListAsync(QueryText.Read(Navigation.Uri, "q"), request.Skip, request.Take, ct);
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Approvals;

public sealed partial class ApprovalList
{
    private DataTable<ApprovalRow>? waiting, decided;
    private int? waitingCount;

    [Inject] private ReadApprovals Approvals { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }
    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }

    protected override async Task OnInitializedAsync() => waitingCount = await Approvals.CountWaitingAsync();

    private bool Mine(ApprovalRow row) => Actor.May(Permission.Approve) && row.RequestedById != Actor.Id;

    private Task<Window<ApprovalRow>> ReadAsync(bool open, TableRequest request, CancellationToken ct) => Approvals.ListAsync(open, open ? null : Search, request.Skip, request.Take, ct);

    private async Task RefreshAsync()
    {
        waitingCount = await Approvals.CountWaitingAsync();
        if (waiting is not null) await waiting.RefreshAsync();
        if (decided is not null) await decided.RefreshAsync();
    }
}

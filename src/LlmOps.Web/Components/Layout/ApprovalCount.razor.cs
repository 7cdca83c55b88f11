using LlmOps.Lifecycle.Promotion;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Layout;

/// <summary>How many approvals wait, live, in the rail.</summary>
public sealed partial class ApprovalCount
{
    private int waiting;

    [Inject] private ReadApprovals Approvals { get; set; } = null!;

    protected override Task OnInitializedAsync() => ReadAsync();

    private async Task ReadAsync() => waiting = await Approvals.CountWaitingAsync();
}

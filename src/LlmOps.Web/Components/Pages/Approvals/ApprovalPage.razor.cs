using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Approvals;

/// <summary>Everything the second person needs, on one screen, and the two buttons at its end.</summary>
public sealed partial class ApprovalPage
{
    private ApprovalDetail? detail;
    private string comment = "";

    [Inject] private ReadApprovals Approvals { get; set; } = null!;
    [Inject] private DecideApproval Decide { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public Guid Id { get; set; }

    private string? Objection => DecideApproval.Objection(detail!.Request, Actor, Clock.GetUtcNow());

    protected override async Task OnParametersSetAsync()
    {
        if (detail?.Request.Id == Id) return;
        (detail, comment) = (null, "");
        await ReadAsync();
    }

    private async Task ReadAsync() => detail = await Approvals.GetAsync(Id);

    private EvidenceMetric? Metric(string name) => detail!.Evidence.Metrics.FirstOrDefault(m => m.Name == name);

    private async Task ApproveAsync()
    {
        await Decide.ApproveAsync(Id, comment.Trim(), Actor);
        await ReadAsync();
        StateHasChanged();
    }

    private async Task RejectAsync()
    {
        await Decide.RejectAsync(Id, comment.Trim(), Actor);
        await ReadAsync();
        StateHasChanged();
    }
}

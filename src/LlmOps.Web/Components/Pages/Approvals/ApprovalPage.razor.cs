using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Approvals;

/// <summary>Everything the second person needs, on one screen, and the two buttons at its end.</summary>
public sealed partial class ApprovalPage
{
    private ApprovalDetail? detail;
    private SigningRight? right;
    private AttestationDetail? statement;
    private AttestationAbsence? absence;
    private string comment = "";

    [Inject] private ReadApprovals Approvals { get; set; } = null!;
    [Inject] private ReadAttestations Attestations { get; set; } = null!;
    [Inject] private DecideApproval Decide { get; set; } = null!;
    [Inject] private WithdrawApproval Withdrawal { get; set; } = null!;
    [Inject] private CommentOnApproval Comments { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public Guid Id { get; set; }

    private string? Objection => right?.Objection;
    private bool IsAuthor => detail!.Request.RequestedById == Actor.Id;

    protected override async Task OnParametersSetAsync()
    {
        if (detail?.Request.Id == Id) return;
        (detail, comment) = (null, "");
        await ReadAsync();
    }

    private async Task ReadAsync()
    {
        detail = await Approvals.GetAsync(Id);
        statement = detail.Request.State == ApprovalState.Approved ? await Attestations.FindAsync(Id) : null;
        absence = statement is null ? await Attestations.AbsenceAsync(Id) : null;
        right = await Approvals.RightAsync(detail.Request, Actor, Clock.GetUtcNow());
    }

    private EvidenceMetric? Metric(string name) => detail!.Evidence.Metrics.FirstOrDefault(m => m.Name == name);

    // What is signed is what this page shows, also when the request has changed behind it.
    private Task ApproveAsync() => ActAsync(() => Decide.ApproveAsync(Id, comment.Trim(), detail!.Request.EvidenceDigest, Actor));

    private Task RejectAsync() => ActAsync(() => Decide.RejectAsync(Id, comment.Trim(), Actor));

    private Task WithdrawAsync() => ActAsync(() => Withdrawal.WithdrawAsync(Id, comment, Actor));

    private Task CommentAsync() => ActAsync(() => Comments.CommentAsync(Id, comment, Actor));

    private async Task ActAsync(Func<Task> act)
    {
        try
        {
            await act();
            comment = "";
        }
        finally
        {
            // Also a refusal may have changed the request: it is void when its evidence changed.
            await ReadAsync();
            StateHasChanged();
        }
    }
}

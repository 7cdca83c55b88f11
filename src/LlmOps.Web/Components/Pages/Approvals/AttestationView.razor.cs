using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Approvals;

/// <summary>What the server signed about a promotion, whether the records still agree, and what to take along.</summary>
public sealed partial class AttestationView
{
    private AttestationDetail? found;
    private bool isRead;

    [Inject] private ReadAttestations Attestations { get; set; } = null!;

    [Parameter, EditorRequired] public Guid ApprovalId { get; set; }
    [Parameter, EditorRequired] public ApprovalState State { get; set; }

    private bool IsApproved => State == ApprovalState.Approved;

    protected override async Task OnParametersSetAsync()
    {
        found = IsApproved ? await Attestations.FindAsync(ApprovalId) : null;
        isRead = true;
    }
}

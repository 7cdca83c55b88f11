using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Approvals;

/// <summary>What the server signed about a promotion, whether the records still agree, and what to take along.</summary>
public sealed partial class AttestationView
{
    [Parameter, EditorRequired] public ApprovalRequest Request { get; set; } = null!;
    /// <summary>Null when nothing was signed.</summary>
    [Parameter] public AttestationDetail? Found { get; set; }
    /// <summary>Why nothing was.</summary>
    [Parameter] public AttestationAbsence? Absence { get; set; }
}

using LlmOps.Lifecycle.Promotion;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Gates;

public sealed partial class PolicyList
{
    private IReadOnlyList<PolicyRow>? policies;

    [Inject] private ReadPolicies Policies { get; set; } = null!;

    protected override async Task OnInitializedAsync() => policies = await Policies.ListAsync();
}

using LlmOps.Lifecycle.Promotion;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Gates;

public sealed partial class PolicyPage
{
    private PolicyDetail? policy;

    [Inject] private ReadPolicies Policies { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public string Name { get; set; } = "";
    [SupplyParameterFromQuery] private int? Number { get; set; }

    protected override async Task OnParametersSetAsync() => policy = await Policies.GetAsync(Name, Number);
}

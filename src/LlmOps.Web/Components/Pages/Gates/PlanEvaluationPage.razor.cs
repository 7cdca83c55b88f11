using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Gates;

public sealed partial class PlanEvaluationPage
{
    private IReadOnlyList<string> suites = [];
    private IReadOnlyList<PolicyRow> policies = [];

    [Inject] private ReadEvaluations Evaluations { get; set; } = null!;
    [Inject] private ReadPolicies Policies { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [SupplyParameterFromQuery] private string? Suite { get; set; }
    [SupplyParameterFromQuery] private string? Policy { get; set; }
    [SupplyParameterFromQuery] private int? Rows { get; set; }
    [SupplyParameterFromQuery] private double? Margin { get; set; }

    protected override async Task OnInitializedAsync()
    {
        suites = await Evaluations.SuitesAsync();
        policies = await Policies.ListAsync();
    }

    private void Go(string name, string? value) => Navigation.NavigateTo(Navigation.GetUriWithQueryParameter(name, string.IsNullOrWhiteSpace(value) ? null : value.Trim()), replace: true);
}

using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Suites;

public sealed partial class SuitePage
{
    private SuiteDetail? suite;
    private IReadOnlyList<SuiteNoise> noise = [];
    private EvaluateDialog? run;

    [Inject] private ReadSuites Suites { get; set; } = null!;
    [Inject] private ReadNoise Noise { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }
    [Parameter, EditorRequired] public string Name { get; set; } = "";
    [SupplyParameterFromQuery] private int? Number { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    protected override async Task OnParametersSetAsync()
    {
        suite = await Suites.GetAsync(Name, Number);
        noise = await Noise.OfSuiteAsync(Name, suite.Number);
    }
}

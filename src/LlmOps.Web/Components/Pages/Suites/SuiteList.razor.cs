using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Suites;

public sealed partial class SuiteList
{
    private Window<SuiteRow>? suites;
    private ImportSuiteDialog? import;

    [Inject] private ReadSuites Suites { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private string? Objection => Actor.Objection(Permission.WriteDatasets);

    protected override async Task OnInitializedAsync() => suites = await Suites.ListAsync(new(Take: 500));
}

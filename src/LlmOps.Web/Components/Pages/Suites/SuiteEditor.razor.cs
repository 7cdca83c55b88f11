using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Suites;

public sealed partial class SuiteEditor
{
    private static readonly string Example = SuiteExamples.Append("name: capitals\ndescription: Capitals of countries\ntasks:", "multiple-choice");
    private int added;
    private string yaml = "";
    private List<FieldProblem> problems = [];

    [Inject] private ReadSuites Suites { get; set; } = null!;
    [Inject] private SaveSuite Saving { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }
    [SupplyParameterFromQuery] private string? From { get; set; }

    private string? Missing => Actor.Objection(Permission.WriteDatasets) ?? (problems.Count > 0 ? "Mend the problems first." : null);

    protected override async Task OnInitializedAsync() => Read(From is null ? Example : (VersionKey.Parse(From) is var key ? await Suites.GetAsync(key.Name, key.Number) : null)!.Yaml);

    private void Read(string text)
    {
        (yaml, problems) = (text, []);
        SuiteDocument.TryParse(text, problems);
    }

    private void Add(string kind)
    {
        if (SuiteExamples.Tasks.ContainsKey(kind))
        {
            added++; // the list begins anew, so that the same kind can be taken twice
            Read(SuiteExamples.Append(yaml, kind));
        }
    }

    private async Task SaveAsync()
    {
        var saved = await Saving.SaveAsync(yaml, Actor);
        Navigation.NavigateTo($"/suites/{saved.Name}?number={saved.Number}");
    }
}

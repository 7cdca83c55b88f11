using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Suites;

public sealed partial class SuiteEditor
{
    private const string Example = """
        name: capitals
        description: Capitals of countries
        tasks:
          - name: choose
            kind: multiple-choice
            prompt: "The capital of {{ country }} is"
            choices: "{{ choices }}"
            target: "{{ answer }}"
            metrics: [accuracy, accuracy_norm]
            margins: { accuracy: 0.02 }
            rows:
              - { country: France, choices: [" Paris", " Rome"], answer: 0 }
              - { country: Italy, choices: [" Paris", " Rome"], answer: 1 }
        """;
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

    private async Task SaveAsync()
    {
        var saved = await Saving.SaveAsync(yaml, Actor);
        Navigation.NavigateTo($"/suites/{saved.Name}?number={saved.Number}");
    }
}

using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Judges;

public sealed partial class NewJudge
{
    private const string Endpoint = """
        name: critic
        description: Which answer helps more
        kind: openai
        endpoint: http://127.0.0.1:8000/v1
        model: name-of-the-model
        mode: pairwise
        criteria: The answer is right, and says no more than was asked.
        both_orders: true
        """;
    private const string Local = """
        name: own-critic
        description: Grades answers without leaving this machine
        kind: local
        version: my-model/1
        variant: int8
        mode: score
        scale: 5
        criteria: The answer is right, and says no more than was asked.
        """;
    private string yaml = "";
    private IReadOnlyList<FieldProblem> problems = [];

    [Inject] private ReadJudges Judges { get; set; } = null!;
    [Inject] private SaveJudge Saving { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }
    [SupplyParameterFromQuery] private string? From { get; set; }

    private string? Missing => Actor.Objection(Permission.WriteDatasets) ?? (problems.Count > 0 ? "Mend the problems first." : null);

    protected override async Task OnInitializedAsync() => Read(From is null ? Endpoint : (await Judges.GetAsync(From)).Yaml);

    private void Read(string text)
    {
        yaml = text;
        var found = new List<FieldProblem>();
        JudgeDocument.TryParse(text, found);
        problems = found;
    }

    private async Task SaveAsync()
    {
        var saved = await Saving.SaveAsync(yaml, Actor);
        Navigation.NavigateTo($"/judges/{saved.Name}?number={saved.Number}");
    }
}

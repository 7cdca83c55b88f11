using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Evaluation;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Gates;

/// <summary>The smallest difference that an evaluation would see. Put it wherever one is started.</summary>
public sealed partial class EvaluationPlanView
{
    private EvaluationPlan? plan;
    private string? problem;
    private PlanQuestion? asked;

    [Inject] private PlanEvaluation Planning { get; set; } = null!;

    [Parameter, EditorRequired] public string Suite { get; set; } = "";
    [Parameter] public string? Policy { get; set; }
    [Parameter] public int? Rows { get; set; }
    [Parameter] public double? Margin { get; set; }

    protected override async Task OnParametersSetAsync()
    {
        var question = new PlanQuestion(Suite, Rows, Policy ?? "", Margin);
        if (question == asked)
            return;
        (asked, problem) = (question, null);
        try
        {
            plan = await Planning.PlanAsync(question);
        }
        catch (LlmOpsException e)
        {
            problem = e.Message; // a suite that was never run is no error: the section says that nothing is known yet
        }
    }
}

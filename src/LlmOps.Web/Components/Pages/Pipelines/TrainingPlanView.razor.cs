using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Planning;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>What a training stage will take, from the text that is being edited: counted anew with every change.</summary>
public sealed partial class TrainingPlanView
{
    private TrainingPlan? plan;
    private string? problem, of;

    [Inject] private PlanTraining Planning { get; set; } = null!;

    /// <summary>A document without problems.</summary>
    [Parameter, EditorRequired] public string Yaml { get; set; } = "";
    [Parameter, EditorRequired] public string Stage { get; set; } = "";

    protected override async Task OnParametersSetAsync()
    {
        var asked = Stage + "\n" + Yaml;
        if (of == asked) return;
        of = asked;
        try
        {
            var answer = await Planning.PlanAsync(Yaml, Stage);
            // The last change wins, whichever answer comes last.
            if (of == asked) (plan, problem) = (answer, null);
        }
        catch (LlmOpsException e) when (e.Code is ErrorCode.InvalidParameterValue or ErrorCode.ResourceDoesNotExist)
        {
            // What is wrong stands with the document's problems; here there is only nothing to say.
            if (of == asked) (plan, problem) = (null, e.Message);
        }
    }
}

using LlmOps.Lifecycle.Evaluation.Judges;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Judges;

/// <summary>The judges of a run, task by task.</summary>
public sealed partial class JudgesOfRun
{
    private IReadOnlyList<JudgeStatement> statements = [];

    [Inject] private ReadJudgements Judgements { get; set; } = null!;

    [Parameter, EditorRequired] public Guid RunId { get; set; }

    protected override async Task OnParametersSetAsync() => statements = await Judgements.OfRunAsync(RunId);
}

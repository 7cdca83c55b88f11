using LlmOps.Lifecycle.Evaluation.Judges;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Judges;

/// <summary>Stands above scores: says of each judge behind them that nobody has held it against people, where that is so.</summary>
public sealed partial class JudgeNotes
{
    private IReadOnlyList<JudgeStatement> statements = [];
    private string asked = "";

    [Inject] private ReadJudgements Judgements { get; set; } = null!;

    [Parameter, EditorRequired] public IReadOnlyList<Guid> Runs { get; set; } = [];

    protected override async Task OnParametersSetAsync()
    {
        if (asked == string.Join(',', Runs))
            return;
        asked = string.Join(',', Runs);
        var found = new List<JudgeStatement>();
        foreach (var run in Runs)
            found.AddRange(await Judgements.OfRunAsync(run));
        statements = found;
    }
}

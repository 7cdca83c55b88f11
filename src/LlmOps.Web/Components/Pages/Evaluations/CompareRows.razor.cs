using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>The rows of one task in every compared run. Only the page in view is read with its texts.</summary>
public sealed partial class CompareRows
{
    [Inject] private CompareRuns Compare { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public IReadOnlyList<Guid> Runs { get; set; } = [];
    [Parameter, EditorRequired] public IReadOnlyList<string> Names { get; set; } = [];
    [Parameter, EditorRequired] public IReadOnlyDictionary<string, EvaluationTask> Tasks { get; set; } = new Dictionary<string, EvaluationTask>();

    private string Chosen => QueryText.Read(Navigation.Uri, "task") is { } task && Tasks.ContainsKey(task) ? task : Tasks.Keys.First();

    private string? Filter => QueryText.Read(Navigation.Uri, "rows");

    private Task<Window<RowAcrossRuns>> ReadAsync(TableRequest request, CancellationToken ct) => Compare.RowsAsync(Runs, Chosen, Filter, request.Skip, request.Take, ct);

    /// <summary>Null for a missing row: it has no value, and zero would be one.</summary>
    private static double? Score(RowScore? row) => row is not { State: RowState.Scored } ? null : row.Weight == 0 ? row.Value : row.Value / row.Weight;

    private string Judge(RowAcrossRuns row, int run)
    {
        if (run == 0 || Score(row.Runs[0]) is not { } first || Score(row.Runs[run]) is not { } score || score == first)
            return "same";
        return score > first == Tasks[Chosen].HigherIsBetter ? "better" : "worse";
    }
}

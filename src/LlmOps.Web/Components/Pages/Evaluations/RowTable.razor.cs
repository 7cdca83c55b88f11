using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>Rows of one task at a time, the worst first.</summary>
public sealed partial class RowTable
{
    private DataTable<RowScore>? table;

    [Inject] private ReadRowScores Rows { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public Guid RunId { get; set; }
    [Parameter, EditorRequired] public IReadOnlyList<ScoredTask> Tasks { get; set; } = [];

    private ScoredTask Chosen => Tasks.FirstOrDefault(t => t.Task.RowName == Read("task")) ?? Tasks[0];
    private RowFilter Filter => new(Chosen.Task.RowName, Read("q"), Read("slice"), Read("outcome") is { } outcome && Outcomes.Contains(outcome) ? outcome : null);

    private IReadOnlyList<string> Outcomes => [.. Chosen.Task.Proportion ? ["right", "wrong"] : Array.Empty<string>(), .. Chosen.Missing > 0 ? ["missing"] : Array.Empty<string>()];

    public Task RefreshAsync() => table?.RefreshAsync() ?? Task.CompletedTask;

    private string? Read(string name) => QueryText.Read(Navigation.Uri, name);

    private static double Score(RowScore row) => row.Weight == 0 ? row.Value : row.Value / row.Weight;

    private void Go(string? task) => Navigation.NavigateTo(Navigation.GetUriWithQueryParameters(new Dictionary<string, object?> { ["task"] = task, ["slice"] = null, ["outcome"] = null }), replace: true);

    private Task<Window<RowScore>> ReadAsync(TableRequest request, CancellationToken ct) => Rows.ListAsync(RunId, Filter, request.Skip, request.Take, ct);
}

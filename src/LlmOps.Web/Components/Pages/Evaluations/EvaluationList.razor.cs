using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

public sealed partial class EvaluationList
{
    private static readonly EvaluationTask[] Shown = [EvaluationTasks.Definitions, EvaluationTasks.Preference, EvaluationTasks.ExactMatch, EvaluationTasks.Decode, EvaluationTasks.Latency, EvaluationTasks.PeakMemory, EvaluationTasks.Size];
    private IReadOnlyList<string> suites = [], models = [];
    private IReadOnlyCollection<string> selected = [];
    private DataTable<EvaluationRow>? table;
    private int? total;

    [Inject] private ReadEvaluations Evaluations { get; set; } = null!;

    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }
    [SupplyParameterFromQuery] private string? Suite { get; set; }
    [SupplyParameterFromQuery] private string? Model { get; set; }

    private EvaluationFilter Filter => new(Suite, Model, Search);

    private string? CompareHref => selected.Count is >= 2 and <= CompareRuns.MostRuns ? $"/evaluations/compare?runs={string.Join(',', selected)}" : null;

    protected override async Task OnInitializedAsync()
    {
        suites = await Evaluations.SuitesAsync();
        models = await Evaluations.ModelsAsync();
    }

    private Task<Window<EvaluationRow>> ReadAsync(TableRequest request, CancellationToken ct) => Evaluations.ListAsync(Filter, request.Skip, request.Take, ct);

    private Task RefreshAsync() => table?.RefreshAsync() ?? Task.CompletedTask;
}

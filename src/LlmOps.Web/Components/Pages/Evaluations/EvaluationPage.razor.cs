using System.Text.Json;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

public sealed partial class EvaluationPage
{
    private static readonly EvaluationTask[] Key = [EvaluationTasks.Definitions, EvaluationTasks.Preference, EvaluationTasks.Classification, EvaluationTasks.Classes, EvaluationTasks.Regression, EvaluationTasks.Residuals, EvaluationTasks.Decode, EvaluationTasks.Size];
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private EvaluationDetail? detail;
    private IReadOnlyList<ScoredTask> tasks = [];
    private IReadOnlyList<EvaluationRow> others = [];
    private SuiteNoise? noise;
    private RowTable? rows;

    [Inject] private ReadEvaluations Evaluations { get; set; } = null!;
    [Inject] private ReadNoise Noise { get; set; } = null!;
    [Inject] private ReadRowScores Rows { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Inject] private LlmOps.Lifecycle.Evaluation.Suites.StartSuiteRun Suites { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public Guid Id { get; set; }

    /// <summary>Rows, not metrics of rows: the first metric of a task stands for all of them.</summary>
    private int Missing => tasks.GroupBy(t => t.Task.Name).Sum(g => g.Max(t => t.Missing));
    private bool CanRetry => detail is { SuiteNumber: not null, Row.State: not (JobState.Queued or JobState.Running) } && (Missing > 0 || detail.Row.State != JobState.Succeeded);
    private string? Objection => Actor.Objection(Permission.RunPipelines);

    /// <summary>Those of the built-in tasks where it has them; a suite's own otherwise.</summary>
    private IEnumerable<EvaluationMetric> KeyMetrics => Key.Select(t => detail!.Row.Find(t)).OfType<EvaluationMetric>().ToList() is { Count: > 0 } known ? known : detail!.Row.Metrics.Take(4);

    protected override async Task OnParametersSetAsync()
    {
        if (detail?.Row.Id == Id) return;
        (detail, noise) = (null, null);
        await ReadAsync();
    }

    private async Task ReadAsync()
    {
        detail = await Evaluations.GetAsync(Id);
        tasks = await Rows.TasksAsync(Id);
        others = [.. (await Evaluations.ListAsync(new EvaluationFilter(detail.Row.Suite), 0, 50)).Rows.Where(r => r.Id != Id)];
        if (rows is not null) await rows.RefreshAsync();
        if (detail.SuiteNumber is null) return;
        StateHasChanged(); // the rows of repeats may be many: the page does not wait for them
        noise = await Noise.OfRunAsync(Id);
    }

    private async Task RetryAsync()
    {
        await Suites.RetryMissingAsync(Id, Actor);
        await ReadAsync();
    }

    /// <summary>The one that is looked at is B: what changed from the other one to it.</summary>
    private void CompareWith(ChangeEventArgs e)
    {
        if (e.Value is string { Length: > 0 } other) Navigation.NavigateTo($"/evaluations/compare?a={other}&b={Id}");
    }

    /// <summary>Beside datasets, an evaluate stage states how many rows it took and how many at most.</summary>
    private static string RowsLabel(string task, string value) => !value.All(char.IsAsciiDigit) ? $"Rows of {task}" : task == "max_rows" ? "Most rows of a task" : "Rows";

    private static string Pretty(string json)
    {
        using var document = JsonDocument.Parse(json);
        return JsonSerializer.Serialize(document.RootElement, Indented);
    }
}

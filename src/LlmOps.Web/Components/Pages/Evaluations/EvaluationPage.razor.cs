using System.Text.Json;
using LlmOps.Lifecycle.Evaluation;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

public sealed partial class EvaluationPage
{
    private static readonly EvaluationTask[] Key = [EvaluationTasks.Definitions, EvaluationTasks.Preference, EvaluationTasks.Decode, EvaluationTasks.Size];
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private EvaluationDetail? detail;
    private IReadOnlyList<ScoredTask> tasks = [];
    private IReadOnlyList<EvaluationRow> others = [];
    private RowTable? rows;

    [Inject] private ReadEvaluations Evaluations { get; set; } = null!;
    [Inject] private ReadRowScores Rows { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter] public Guid Id { get; set; }

    private IEnumerable<EvaluationMetric> KeyMetrics => Key.Select(t => detail!.Row.Find(t)).OfType<EvaluationMetric>();

    protected override async Task OnParametersSetAsync()
    {
        if (detail?.Row.Id == Id) return;
        detail = null;
        await ReadAsync();
    }

    private async Task ReadAsync()
    {
        detail = await Evaluations.GetAsync(Id);
        tasks = await Rows.TasksAsync(Id);
        others = [.. (await Evaluations.ListAsync(new EvaluationFilter(detail.Row.Suite), 0, 50)).Rows.Where(r => r.Id != Id)];
        if (rows is not null) await rows.RefreshAsync();
    }

    /// <summary>The one that is looked at is B: what changed from the other one to it.</summary>
    private void CompareWith(ChangeEventArgs e)
    {
        if (e.Value is string { Length: > 0 } other) Navigation.NavigateTo($"/evaluations/compare?a={other}&b={Id}");
    }

    private static string Pretty(string json)
    {
        using var document = JsonDocument.Parse(json);
        return JsonSerializer.Serialize(document.RootElement, Indented);
    }
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>Two runs on the rows both have: the verdict in words, then the numbers, then the rows.</summary>
public sealed partial class CompareEvaluations
{
    private sealed record Line(string Name, string Unit, bool HigherIsBetter, double? A, double? B, MeasuredMetric? Difference)
    {
        /// <summary>Symmetric, so that zero is in the middle of the bar.</summary>
        public double Scale => Difference is null ? 1 : Math.Max(1e-12, 1.1 * Math.Max(Math.Abs(Difference.Low), Math.Abs(Difference.High)));
        public string Words => Difference is null ? "" : ComparisonWords.Judge(Difference) switch { 1 => "B is better", -1 => "B is worse", _ => "cannot tell" };
    }

    private Comparison? compared;
    private IReadOnlyList<Line> lines = [];
    private IReadOnlyList<string> tasks = [];
    private string nameA = "", nameB = "", verdict = "";
    private (Guid, Guid) seen;

    [Inject] private CompareRuns Compare { get; set; } = null!;
    [Inject] private ReadEvaluations Evaluations { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [SupplyParameterFromQuery(Name = "a")] private Guid A { get; set; }
    [SupplyParameterFromQuery(Name = "b")] private Guid B { get; set; }
    [SupplyParameterFromQuery(Name = "task")] private string? TaskName { get; set; }
    [SupplyParameterFromQuery(Name = "rows")] private string? RowsFilter { get; set; }

    private string? Task => tasks.Contains(TaskName) ? TaskName : tasks.Count > 0 ? tasks[0] : null;

    protected override async System.Threading.Tasks.Task OnParametersSetAsync()
    {
        if (A == Guid.Empty || B == Guid.Empty || seen == (A, B)) return;
        (seen, compared) = ((A, B), null);
        var (a, b) = (await Evaluations.GetAsync(A), await Evaluations.GetAsync(B));
        (nameA, nameB) = ($"{a.Row.Version} {a.Row.Variant}", $"{b.Row.Version} {b.Row.Variant}");
        if (nameA == nameB) (nameA, nameB) = ($"{nameA} ({a.Row.StartedAt:d MMM HH:mm})", $"{nameB} ({b.Row.StartedAt:d MMM HH:mm})");
        var read = await Compare.CompareAsync(A, B);
        lines = [.. EvaluationTasks.All.Select(t => new Line(t.FullName, t.Unit, t.HigherIsBetter, a.Row.Find(t)?.Value, b.Row.Find(t)?.Value, read.Differences.FirstOrDefault(d => d.Name == t.FullName)))
            .Where(l => l.A is not null || l.B is not null)];
        tasks = [.. read.Differences.Select(d => d.Name[..d.Name.IndexOf('.', StringComparison.Ordinal)])];
        verdict = ComparisonWords.Verdict(nameA, nameB, read.Differences);
        compared = read;
    }

    private Task<Window<PairedRow>> ReadAsync(TableRequest request, CancellationToken ct) => Compare.PairsAsync(A, B, Task!, RowsFilter ?? "", request.Skip, request.Take, ct);

    private string Rows(string task, string filter) => Navigation.GetUriWithQueryParameters(new Dictionary<string, object?> { ["task"] = task, ["rows"] = filter });

    private static double Score(RowScore row) => row.Weight == 0 ? row.Value : row.Value / row.Weight;

    private static string Judge(PairedRow row)
    {
        var difference = Score(row.B) - Score(row.A);
        return difference == 0 ? "same" : difference > 0 == EvaluationTasks.Get(row.Task).HigherIsBetter ? "better" : "worse";
    }
}

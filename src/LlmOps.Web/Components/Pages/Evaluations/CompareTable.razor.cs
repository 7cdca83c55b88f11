using LlmOps.Lifecycle.Evaluation;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>Columns are runs, rows are metrics, with a bar for each difference.</summary>
public sealed partial class CompareTable
{
    private sealed record Cell(double? Value, MetricComparison? Metric);

    private sealed record Line(EvaluationTask Task, double? First, IReadOnlyList<Cell> Cells)
    {
        /// <summary>Symmetric, so that zero is in the middle, and one for the whole row.</summary>
        public double Scale => Math.Max(1e-12, 1.1 * Cells.Where(c => c.Metric is not null).Select(c => Math.Max(Math.Abs(c.Metric!.Difference.Low), Math.Abs(c.Metric.Difference.High))).DefaultIfEmpty(1).Max());
    }

    [Parameter, EditorRequired] public IReadOnlyList<Comparison> Comparisons { get; set; } = [];
    [Parameter, EditorRequired] public IReadOnlyList<string> Names { get; set; } = [];
    /// <summary>Place of a comparison → metrics whose difference is below the suite's noise floor.</summary>
    [Parameter] public Func<int, IReadOnlySet<string>> Noise { get; set; } = _ => new HashSet<string>();
    /// <summary>Task and filter → the address of those rows.</summary>
    [Parameter, EditorRequired] public Func<string, string, string> RowsHref { get; set; } = null!;

    private IEnumerable<Line> Lines => Comparisons.SelectMany(c => RunTasks.Of(c.A).Concat(RunTasks.Of(c.B))).DistinctBy(t => t.FullName)
        .Select(t => new Line(t, Value(Comparisons[0].A, t), [.. Comparisons.Select(c => new Cell(Value(c.B, t), c.Metrics.FirstOrDefault(m => m.Task.FullName == t.FullName)))]))
        .Where(l => l.First is not null || l.Cells.Any(c => c.Value is not null));

    private static double? Value(EvaluationRun run, EvaluationTask task) => run.Metrics.FirstOrDefault(m => m.Name == task.FullName)?.Value;
}

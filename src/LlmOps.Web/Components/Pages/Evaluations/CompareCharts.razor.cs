using LlmOps.Lifecycle.Evaluation;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>Effects side by side although their units differ: each as a change in percent of the first run, turned so that more is better.</summary>
public sealed partial class CompareCharts
{
    private sealed record Point(MetricComparison Metric, string Run, int Series, double Value, double Low, double High);

    private sealed record SliceCell(MetricComparison Metric, SliceComparison Slice, double Gain);

    private IReadOnlyList<Point> points = [];
    private IReadOnlyList<SliceCell> cells = [];
    private IReadOnlyList<string> rows = [];

    [Parameter, EditorRequired] public IReadOnlyList<Comparison> Comparisons { get; set; } = [];
    [Parameter, EditorRequired] public IReadOnlyList<string> Names { get; set; } = [];

    private IReadOnlyList<string> Metrics => [.. points.Select(p => Measured.Words(p.Metric.Task.FullName)).Distinct()];

    private int ForestHeight => 96 + Metrics.Count * (20 + 16 * Comparisons.Count);

    protected override void OnParametersSet()
    {
        points = [.. Comparisons.Index().SelectMany(c => c.Item.Metrics.Select(m => AsPoint(m, c.Index))).OfType<Point>()];
        // one run's slices fit a page; the last is the newest in the address
        cells = [.. Comparisons[^1].Metrics.SelectMany(m => m.Slices.Select(s => ComparisonWords.Gain(s.Effect, s.A, m.Task.HigherIsBetter) is { } gain ? new SliceCell(m, s, gain) : null)).OfType<SliceCell>()];
        rows = [.. cells.Select(c => Measured.Words(c.Metric.Task.FullName)).Distinct()];
    }

    private Point? AsPoint(MetricComparison m, int index)
    {
        double? Gain(double value) => ComparisonWords.Gain(value, m.A, m.Task.HigherIsBetter);
        return (Gain(m.Difference.Value), Gain(m.Difference.Low), Gain(m.Difference.High)) is ({ } value, { } x, { } y) ? new(m, Names[index + 1], index, value, Math.Min(x, y), Math.Max(x, y)) : null;
    }

    private object Forest => new
    {
        grid = new { left = 180, right = 24, top = 40, bottom = 40 }, tooltip = new { }, legend = new { top = 0, type = "scroll" },
        xAxis = new { type = "value", scale = true, name = "%", nameLocation = "middle", nameGap = 24 },
        yAxis = new { type = "category", inverse = true, data = Metrics },
        // Several runs on one metric are drawn a little apart, so that no interval hides another.
        series = Comparisons.Select((_, i) => new
        {
            type = "interval", name = Names[i + 1], tone = i,
            data = points.Where(p => p.Series == i).Select(p => new[] { Metrics.Index().First(m => m.Item == Measured.Words(p.Metric.Task.FullName)).Index + (i - (Comparisons.Count - 1) / 2.0) * 0.18, p.Low, p.High, p.Value }).ToArray(),
            markLine = i > 0 ? null : new { symbol = "none", silent = true, label = new { show = false }, data = new[] { new { xAxis = 0 } } },
        }).ToArray(),
    };

    private object HeatMap
    {
        get
        {
            var slices = cells.Select(c => c.Slice.Slice).Distinct().ToList();
            var most = Math.Max(0.001, cells.Max(c => Math.Abs(c.Gain)));
            return new
            {
                grid = new { left = 180, right = 24, top = 16, bottom = 72 }, tooltip = new { },
                xAxis = new { type = "category", data = slices }, yAxis = new { type = "category", inverse = true, data = rows },
                visualMap = new { min = -most, max = most, calculable = false, orient = "horizontal", left = "center", bottom = 0, itemHeight = 120, itemWidth = 10, inRange = new { color = new[] { "#c0392b", "#9aa0a6", "#2e8b57" } } },
                series = new[] { new { type = "heatmap", name = "change, %", data = cells.Select(c => new[] { slices.IndexOf(c.Slice.Slice), rows.Index().First(r => r.Item == Measured.Words(c.Metric.Task.FullName)).Index, c.Gain }).ToArray() } },
            };
        }
    }
}

using LlmOps.Engines.Planning;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Planning;

/// <summary>What fills the memory, and what a larger batch brings.</summary>
public sealed partial class PlanCharts
{
    private const double GiB = 1L << 30;
    private int[] batches = [];
    private List<(string Name, double?[] Rates)> curves = [];

    [Parameter, EditorRequired] public FitPlan Plan { get; set; } = null!;

    protected override void OnParametersSet()
    {
        var largest = Math.Max(Plan.Workload.Users, 64);
        batches = [.. Enumerable.Range(0, 20).Select(i => 1 << i).TakeWhile(b => b < largest * 2)];
        // Precisions that are computed alike (16-bit floats) share a curve.
        curves = [.. WeightPrecision.All.Select(p => (p.Name, Rates: Rates(p))).GroupBy(c => string.Join(' ', c.Rates.Select(r => $"{r:g3}"))).Select(g => (string.Join(", ", g.Select(c => c.Name)), g.First().Rates))];
    }

    private double?[] Rates(WeightPrecision precision) => [.. batches.Select(users => FitPlanner.Plan(precision, Plan.Model, Plan.Hardware, Plan.Workload with { Users = users }))
        .Select(at => at.Fits ? at.DecodeTokensPerSecond : (double?)null)];

    private object Memory => new
    {
        grid = new { left = 96, right = 24, top = 56, bottom = 40 }, tooltip = new { trigger = "axis" }, legend = new { top = 0 },
        xAxis = new { type = "value", name = "GiB", nameLocation = "middle", nameGap = 24 },
        yAxis = new { type = "category", inverse = true, data = Plan.Precisions.Select(p => p.Precision).ToArray() },
        series = new (string Name, Func<PrecisionPlan, long> Bytes)[] { ("weights", p => p.ResidentBytes), ("cache", p => p.KeyValueBytes), ("steps", p => p.WorkspaceBytes), ("process", p => p.RuntimeBytes) }
            .Select((part, i) => new
            {
                type = "bar", stack = "memory", name = part.Name, data = Plan.Precisions.Select(p => Math.Round(part.Bytes(p) / GiB, 3)).ToArray(),
                // One line across all bars: what can be counted on.
                markLine = i > 0 ? null : new { symbol = "none", silent = true, label = new { show = false }, data = new[] { new { xAxis = Math.Round(Plan.Precisions[0].UsableBytes / GiB, 3) } } },
            }).ToArray(),
    };

    private object Throughput => new
    {
        grid = new { left = 72, right = 24, top = 56, bottom = 40 }, tooltip = new { trigger = "axis" }, legend = new { top = 0, type = "scroll" },
        xAxis = new { type = "category", name = "users", nameLocation = "middle", nameGap = 24, data = batches.Select(b => b.ToString(System.Globalization.CultureInfo.InvariantCulture)).ToArray() },
        yAxis = new { type = "log", name = "tokens/s together", nameTextStyle = new { align = "left" } },
        series = curves.Select(c => new { type = "line", name = c.Name, symbolSize = 6, data = c.Rates.Select(r => r is { } v ? Math.Round(v, 2) : (double?)null).ToArray() }).ToArray(),
    };
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracing;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Traces;

/// <summary>Latency, tokens and cost of the traces in the list, over time.</summary>
public sealed partial class TraceCharts
{
    private TraceCurves? curves;
    private const long PauseMs = 10_000;
    private TraceFilter? read;
    private long refreshed = -PauseMs;

    [Inject] private ReadTraceCurves Curves { get; set; } = null!;

    [Parameter, EditorRequired] public TraceFilter Filter { get; set; } = null!;

    private bool HasCost => curves!.Buckets.Any(b => b.CostUsd > 0);

    /// <summary>Now and then: reading thousands of traces at each new one would slow down what is being watched.</summary>
    public async Task RefreshAsync()
    {
        var now = Environment.TickCount64;
        if (now - refreshed < PauseMs) return;
        refreshed = now;
        curves = await Curves.ReadAsync(Filter);
        StateHasChanged();
    }

    protected override async Task OnParametersSetAsync()
    {
        if (read == Filter) return;
        read = Filter;
        curves = await Curves.ReadAsync(Filter);
    }

    private static object[] Point(TraceBucket bucket, double value) => [bucket.StartedAt.ToUnixTimeMilliseconds(), Math.Round(value, 6)];

    private object Duration => new
    {
        grid = new { left = 72, right = 24, top = 40, bottom = 32 }, tooltip = new { trigger = "axis" }, legend = new { top = 0 },
        xAxis = new { type = "time" }, yAxis = new { type = "value", name = "ms" },
        series = new[] { Line("median", b => b.MedianMs), Line("95 %", b => b.P95Ms) },
    };

    private object Tokens => new
    {
        grid = new { left = 72, right = 72, top = 40, bottom = 32 }, tooltip = new { trigger = "axis" }, legend = new { top = 0 },
        xAxis = new { type = "time" }, yAxis = new object[] { new { type = "value", name = "tokens" }, new { type = "value", name = HasCost ? "US $" : "", show = HasCost } },
        series = new List<object> { Bars("in", b => b.InputTokens), Bars("out", b => b.OutputTokens) }.Concat(HasCost ? [Line("cost", b => b.CostUsd, 1)] : []).ToArray(),
    };

    private object Line(string name, Func<TraceBucket, double> value, int axis = 0) => new { type = "line", name, yAxisIndex = axis, symbolSize = 4, data = curves!.Buckets.Select(b => Point(b, value(b))).ToArray() };

    private object Bars(string name, Func<TraceBucket, double> value) => new { type = "bar", name, stack = "tokens", data = curves!.Buckets.Select(b => Point(b, value(b))).ToArray() };
}

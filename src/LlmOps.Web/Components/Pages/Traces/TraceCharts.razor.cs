using System.Globalization;
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

    /// <summary>A category for each bucket: on an axis of time, bars of few buckets are as wide as the chart and labels run into each other.</summary>
    private object Times => new { type = "category", data = curves!.Buckets.Select(b => Word(b.StartedAt)).ToArray(), axisLabel = new { hideOverlap = true } };

    /// <summary>The time of day, with the date where the traces are of more than one day.</summary>
    private string Word(DateTimeOffset at) => at.ToString(curves!.Buckets[^1].StartedAt - curves.Buckets[0].StartedAt > TimeSpan.FromDays(1) ? "d MMM HH:mm" : "HH:mm", CultureInfo.InvariantCulture);

    private object Duration => new
    {
        grid = new { left = 72, right = 24, top = 40, bottom = 32 }, tooltip = new { trigger = "axis" }, legend = new { top = 0 },
        xAxis = Times, yAxis = new { type = "value", name = "ms" },
        series = new[] { Line("median", b => b.MedianMs), Line("95 %", b => b.P95Ms) },
    };

    private object Tokens => new
    {
        grid = new { left = 72, right = 72, top = 40, bottom = 32 }, tooltip = new { trigger = "axis" }, legend = new { top = 0 },
        xAxis = Times, yAxis = new object[] { new { type = "value", name = "tokens" }, new { type = "value", name = HasCost ? "US $" : "", show = HasCost } },
        series = new List<object> { Bars("in", b => b.InputTokens), Bars("out", b => b.OutputTokens) }.Concat(HasCost ? [Line("cost", b => b.CostUsd, 1)] : []).ToArray(),
    };

    private object Line(string name, Func<TraceBucket, double> value, int axis = 0) => new { type = "line", name, yAxisIndex = axis, symbolSize = 4, data = curves!.Buckets.Select(b => Math.Round(value(b), 6)).ToArray() };

    private object Bars(string name, Func<TraceBucket, double> value) => new { type = "bar", name, stack = "tokens", barMaxWidth = 32, data = curves!.Buckets.Select(b => Math.Round(value(b), 6)).ToArray() };
}

using System.Globalization;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Sweeps.Search;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Sweeps;

public sealed partial class SweepPage
{
    private SweepDetail? sweep;
    private IReadOnlyList<TrialRow> lines = [];

    [Inject] private ReadSweeps Sweeps { get; set; } = null!;
    [Inject] private StopSweep Stop { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }
    [Parameter] public string Name { get; set; } = "";

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    private string? Failed => sweep!.Trials.Count(t => t.State == TrialState.Failed) is > 0 and var failed ? $"{Display.Count(failed)} failed"
        : sweep.Trials.Count(t => t.State == TrialState.Running) is > 0 and var running ? $"{Display.Count(running)} running" : null;

    /// <summary>Of the best trial's rung: others had another budget.</summary>
    private (double Median, double Worst, int N)? Spread
    {
        get
        {
            var values = sweep!.Trials.Where(t => t.Value is not null && t.Rung == sweep.Best?.Rung).Select(t => t.Value!.Value).Order().ToList();
            return values.Count < 2 ? null : ((values[(values.Count - 1) / 2] + values[values.Count / 2]) / 2, sweep.Row.Minimise ? values[^1] : values[0], values.Count);
        }
    }

    protected override async Task OnParametersSetAsync()
    {
        if (sweep?.Row.Name == Name)
            return;
        sweep = null;
        await ReadAsync();
    }

    private async Task ReadAsync()
    {
        sweep = await Sweeps.GetAsync(Name);
        lines = [.. sweep.Trials.Where(t => t.Value is not null)];
    }

    private async Task StopAsync()
    {
        await Stop.StopAsync(Name, Actor);
        await ReadAsync();
        StateHasChanged();
    }

    private void Open(int index)
    {
        if (index >= 0 && index < lines.Count && lines[index].RunId is { } run)
            Navigation.NavigateTo($"/runs/{run}");
    }

    /// <summary>The pipeline's form with these values filled in; nothing is saved until somebody looks at it and saves.</summary>
    private string UseAddress(TrialRow trial) =>
        $"/pipelines/{sweep!.Row.Pipeline}?stage={sweep.Row.Stage}&set={Uri.EscapeDataString(string.Join(';', sweep.Columns.Where(c => trial.Parameters[c] is not null).Select(c => $"{c}={trial.Parameters[c]}")))}";

    private static object? Cell(TrialRow trial, string column) => trial.Parameters[column] switch
    {
        null => null,
        var value when double.TryParse(value.ToString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
        var value => value.ToString(),
    };

    private object Chart
    {
        get
        {
            var axes = sweep!.Columns.Select(Axis).Append(new { dim = sweep.Columns.Count, name = sweep.Metric.Name, type = "value", scale = true, inverse = sweep.Row.Minimise, nameLocation = sweep.Row.Minimise ? "start" : "end" }).ToArray();
            var values = lines.Select(t => t.Value!.Value).ToList();
            var (low, high) = (values.Min(), values.Max());
            return new
            {
                parallel = new { left = 48, right = 64, top = 44, bottom = 24, axisExpandable = false },
                parallelAxis = axes,
                tooltip = new { trigger = "item" },
                // The better end is drawn in the accent; which end that is depends on the direction.
                visualMap = new { show = false, type = "continuous", dimension = sweep.Columns.Count, min = low, max = high > low ? high : low + 1, strong = sweep.Row.Minimise ? "low" : "high" },
                series = new[] { new { type = "parallel", name = "trials", smooth = false, lineStyle = new { width = lines.Count > 100 ? 1 : 1.75, opacity = lines.Count > 100 ? .5 : .8 }, data = lines.Select(Line).ToArray() } },
            };
        }
    }

    private object Line(TrialRow trial) => new { name = $"trial {trial.Number}", value = sweep!.Columns.Select(c => Mark(trial, c)).Append(trial.Value!.Value).ToArray() };

    private object Axis(string column, int index) => sweep!.Space.Dimensions.FirstOrDefault(d => d.Name == column) switch
    {
        ChoiceDimension choice => new { dim = index, name = column, type = "category", data = choice.Values },
        LogDimension log => new { dim = index, name = column, type = "log", min = log.Min, max = log.Max },
        _ => new { dim = index, name = column, type = "value", scale = true },
    };

    private int Index(string column) => sweep!.Columns.ToList().IndexOf(column);

    /// <summary>A category axis knows its values by their text.</summary>
    private object? Mark(TrialRow trial, string column) =>
        sweep!.Space.Dimensions.Any(d => d is ChoiceDimension && d.Name == column) ? sweep.Space.PointOf(trial.Parameters)?[Index(column)] : Cell(trial, column);
}

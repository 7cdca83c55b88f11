using System.Globalization;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Tracing.Drift;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Deployments;

/// <summary>How a deployment's traffic compares with its own past.</summary>
public sealed partial class DriftPanel
{
    private DriftState? state;

    [Inject] private ReadDrift Drift { get; set; } = null!;
    [Inject] private WatchDrift Watch { get; set; } = null!;
    [Inject] private SetDriftWatch Set { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public string Deployment { get; set; } = "";

    private DriftCheckRow? Newest => state!.Checks is [var newest, ..] ? newest : null;
    private string? Objection => Actor.Objection(Permission.Deploy);

    protected override async Task OnParametersSetAsync()
    {
        if (state?.Deployment != Deployment) await ReadAsync();
    }

    private async Task ReadAsync() => state = await Drift.GetAsync(Deployment);

    private async Task LookAsync()
    {
        await Watch.LookAsync(Deployment, Actor);
        await ReadAsync();
        StateHasChanged();
    }

    private async Task ToggleAsync()
    {
        await Set.SetAsync(Deployment, state!.Policy, !state.Watched, Actor);
        await ReadAsync();
        StateHasChanged();
    }

    private static object Chart(DriftMeasure measure) => new
    {
        grid = new { left = 48, right = 16, top = 32, bottom = 32 }, tooltip = new { trigger = "axis" }, legend = new { top = 0 },
        xAxis = new { type = "category", data = measure.Bins.Select(b => b.UpTo is { } to ? $"≤ {Display.Number(to, 3)}" : "more").ToArray() }, yAxis = new { type = "value", name = "%" },
        series = new object[] { new { type = "bar", name = "before", data = measure.Bins.Select(b => Math.Round(100 * b.Baseline, 2)).ToArray() }, new { type = "bar", name = "now", data = measure.Bins.Select(b => Math.Round(100 * b.Window, 2)).ToArray() } },
    };

    private static string State(Verdict verdict) => verdict switch { Verdict.Pass => "Passed", Verdict.Fail => "Failed", _ => "CannotTell" };

    private static string Words(Verdict verdict) => verdict switch { Verdict.Pass => "as before", Verdict.Fail => "drifted", _ => "too few to rule out" };

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static string Number(DriftMeasure measure, double value) => measure.Method == "difference" ? Percent(value) : value.ToString(measure.Method == "mmd" ? "0.0000" : "0.000", CultureInfo.InvariantCulture);

    private static string Middle(DriftMeasure measure, double? value) => value is not { } known ? "–"
        : measure.Name switch { "refusals" => Percent(known), "latency-ms" => Display.Duration(known), _ => $"{Display.Number(known, 4)} tokens" };

    private static string P(double p) => p < 0.0001 ? "< 0.0001" : p.ToString("0.0000", CultureInfo.InvariantCulture);

    private static string Percent(double share) => share.ToString("0.# %", CultureInfo.InvariantCulture);

    private static string Level(DriftReport report) => (1 - 2 * report.Level).ToString("0.## %", CultureInfo.InvariantCulture);
}

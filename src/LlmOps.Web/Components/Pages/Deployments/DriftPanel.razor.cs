using System.Globalization;
using LlmOps.Lifecycle.Data;
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
    private DriftPolicyForm? form;

    [Inject] private ReadDrift Drift { get; set; } = null!;
    [Inject] private WatchDrift Watch { get; set; } = null!;
    [Inject] private SetDriftWatch Set { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public string Deployment { get; set; } = "";

    private DriftCheckRow? Newest => state!.Checks is [var newest, ..] ? newest : null;
    private string? Objection => Actor.Objection(Permission.Deploy);
    // A record compares its list by reference; as JSON the two are what they say.
    private bool IsChanged => Newest is { } newest && Json.Write(newest.Report.Policy with { EveryHours = 1 }) != Json.Write(state!.Policy with { EveryHours = 1 });

    protected override async Task OnParametersSetAsync()
    {
        if (state?.Deployment != Deployment) await ReadAsync();
    }

    private async Task ReadAsync() => state = await Drift.GetAsync(Deployment);

    private async Task LookAsync()
    {
        await Watch.LookAsync(Deployment, Actor);
        await SavedAsync();
    }

    private async Task ToggleAsync()
    {
        await Set.SetAsync(Deployment, state!.Policy, !state.Watched, Actor);
        await SavedAsync();
    }

    private async Task SavedAsync()
    {
        await ReadAsync();
        StateHasChanged();
    }

    /// <summary>The numbers stand in the table; the sentence for people elsewhere repeats them all.</summary>
    private static string Verdict(DriftReport report) => report.Verdict != LlmOps.Lifecycle.Promotion.Verdict.Fail ? report.Words
        : $"Drifted by more than is tolerated: {string.Join(", ", report.Measures.Where(m => m.Verdict == LlmOps.Lifecycle.Promotion.Verdict.Fail).Select(m => DriftRule.Called(m.Name)).Distinct())}.";

    private string Traces(DateTimeOffset from, DateTimeOffset to) => $"/deployments/{Uri.EscapeDataString(Deployment)}?tab=traces&from={from.ToUnixTimeMilliseconds()}&to={to.ToUnixTimeMilliseconds()}";

    private static string Hours(int hours) => hours % 24 == 0 && hours > 24 ? $"{hours / 24} days" : $"{hours} hours";

    private static string Sampled(DriftReport report) => Math.Max(report.BaselineTraces, report.WindowTraces) <= report.Policy.MostTraces ? "" : $", of each side a sample of {Display.Count(report.Policy.MostTraces)}";

    private static object Chart(DriftMeasure measure) => new
    {
        grid = new { left = 40, right = 8, top = 36, bottom = 64 }, tooltip = new { trigger = "axis" }, legend = new { top = 0 },
        xAxis = new { type = "category", data = measure.Bins.Select(b => b.UpTo is { } to ? $"≤ {Edge(measure, to)}" : "more").ToArray(), axisLabel = new { rotate = 45, interval = 0 } }, yAxis = new { type = "value" },
        series = new object[] { new { type = "bar", name = "before", data = measure.Bins.Select(b => Math.Round(100 * b.Baseline, 1)).ToArray() }, new { type = "bar", name = "now", data = measure.Bins.Select(b => Math.Round(100 * b.Window, 1)).ToArray() } },
    };

    private static string Edge(DriftMeasure measure, double to) => measure.Name == "latency-ms" ? Display.Duration(to) : Display.Short(to, 3);

    private static string State(Verdict verdict) => verdict switch { LlmOps.Lifecycle.Promotion.Verdict.Pass => "AsBefore", LlmOps.Lifecycle.Promotion.Verdict.Fail => "Drifted", _ => "CannotTell" };

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static string Number(DriftMeasure measure, double value) => measure.Method == "difference" ? (100 * value).ToString("0.#", CultureInfo.InvariantCulture) : value.ToString(measure.Method == "mmd" ? "0.0000" : "0.000", CultureInfo.InvariantCulture);

    private static string Average(DriftMeasure measure, string when) => measure.Name switch { "refusals" => $"Share {when}", "embeddings" => Capital(when), _ => $"Median {when}" };

    private static string Middle(DriftMeasure measure, double? value) => value is not { } known ? "–"
        : measure.Name switch { "refusals" => Percent(known), "latency-ms" => Display.Duration(known), _ => $"{Display.Short(known, 4)} tokens" };

    private static string ExampleValue(string name, double value) => name switch { "latency-ms" => Display.Duration(value), "embeddings" => "cosine " + value.ToString("0.00", CultureInfo.InvariantCulture), _ => $"{Display.Short(value, 4)} tokens" };

    private static string P(double p) => p < 0.0001 ? "< 0.0001" : p.ToString("0.0000", CultureInfo.InvariantCulture);

    private static string Percent(double share) => share.ToString("0.# %", CultureInfo.InvariantCulture);

    private static string Level(DriftReport report) => (1 - 2 * report.Level).ToString("0.## %", CultureInfo.InvariantCulture);
}

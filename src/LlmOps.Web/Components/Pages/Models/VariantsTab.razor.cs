using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>Quality × speed × size of the variants of a version, or of all versions of a model: which of them nothing beats.</summary>
public sealed partial class VariantsTab
{
    private ParetoView? view;
    private (string, int?, string?, string?) read;

    [Inject] private ReadPareto Pareto { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public string Model { get; set; } = "";
    /// <summary>Null for all versions of the model.</summary>
    [Parameter] public VersionDetail? Version { get; set; }
    /// <summary>Leads to the request of a promotion; null where nobody may ask for one.</summary>
    [Parameter] public Func<string, Task>? Choose { get; set; }

    private string FileName => Version is null ? $"{Model}-variants" : $"{Model}-{Version.Number}-variants";

    private string Why => (Version?.Variants.Count, view!.Unmeasured.Count) switch
    {
        (0, _) or (null, 0) => "There is no variant yet: an export-onnx stage makes the first.",
        _ => "No evaluation with quality and speed has finished.",
    };

    /// <summary>What was chosen, then the other numbers that decide.</summary>
    private IEnumerable<EvaluationTask> Columns => new[] { view!.Quality!, view.Speed!, EvaluationTasks.Prefill, EvaluationTasks.Decode, EvaluationTasks.PeakMemory }
        .Distinct().Where(t => view.Points.Any(p => p.Metrics.ContainsKey(t.FullName)));

    private string Verdict
    {
        get
        {
            var front = view!.Points.Where(p => p.OnFront).Select(p => p.Name).ToList();
            var rest = view.Points.Count - front.Count;
            return (front.Count, rest) switch
            {
                (1, 0) => $"{front[0]} is the only variant that was measured.",
                (1, _) => $"{front[0]} beats every other variant in quality, speed and size together.",
                (_, 0) => $"No variant beats another: each of {string.Join(", ", front)} is a trade of its own.",
                _ => $"{front.Count} of {view.Points.Count} variants are trades worth making: {string.Join(", ", front)}. {(rest == 1 ? "The other one is" : "The others are")} beaten.",
            };
        }
    }

    private object BySize => Chart("size on disk, MiB", p => p.SizeBytes / (double)(1 << 20));

    private object BySpeed => Chart($"{Measured.Label(view!.Speed!).ToLowerInvariant()}, {Measured.Unit(view.Speed!.Unit)}", p => p.Metrics[view.Speed!.FullName].Value);

    private string Asked(string name) => QueryText.Read(Navigation.Uri, name) ?? "";

    protected override async Task OnParametersSetAsync()
    {
        if (read != (Model, Version?.Number, Asked("quality"), Asked("speed"))) await ReadAsync();
    }

    private async Task ReadAsync()
    {
        read = (Model, Version?.Number, Asked("quality"), Asked("speed"));
        view = Version is null ? await Pareto.OfModelAsync(Model, Asked("quality"), Asked("speed")) : await Pareto.OfVersionAsync(Version.Key, Asked("quality"), Asked("speed"));
    }

    private async Task FilterAsync(string name, ChangeEventArgs e)
    {
        Navigation.NavigateTo(Navigation.GetUriWithQueryParameter(name, e.Value as string), replace: true);
        await ReadAsync();
    }

    private object Chart(string axis, Func<ParetoPoint, double> x)
    {
        var task = view!.Quality!;
        object Dots(string name, bool front, int tone) => new
        {
            type = "scatter", name, tone, hollow = !front, symbolSize = 12, z = 3, label = new { show = true, formatter = "{b}", position = "right", fontSize = 11 }, labelLayout = new { hideOverlap = true, moveOverlap = "shiftY" },
            data = view.Points.Where(p => p.OnFront == front).Select(p => new { name = p.Name, value = new[] { x(p), p.Metrics[task.FullName].Value } }).ToArray(),
        };
        object Whiskers(bool front, int tone) => new
        {
            type = "whisker", tone, data = view.Points.Where(p => p.OnFront == front).Select(p => (X: x(p), M: p.Metrics[task.FullName])).Where(p => p.M.N > 1).Select(p => new[] { p.X, p.M.Low, p.M.High }).ToArray(),
        };
        return new
        {
            grid = new { left = 72, right = 72, top = 40, bottom = 48 }, tooltip = new { }, legend = new { top = 0, data = new[] { "on the front", "dominated" } },
            xAxis = new { name = axis, nameLocation = "middle", nameGap = 28, scale = true }, yAxis = new { name = task.Unit, scale = true },
            series = new[] { Dots("on the front", true, 0), Dots("dominated", false, 7), Whiskers(true, 0), Whiskers(false, 7) },
        };
    }
}

using LlmOps.Engines.Planning;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Planning;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Routing;
using Microsoft.AspNetCore.WebUtilities;

namespace LlmOps.Web.Components.Pages.Planning;

/// <summary>The fit planner. Its address is the question.</summary>
public sealed partial class PlanPage : IDisposable
{
    private const int MostModels = 100;
    private IReadOnlyList<ModelRow>? models;
    private MeasuredMachine? machine;
    private FitQuestion question = new();
    private FitOutcome? outcome;

    [Inject] private PlanFit Fit { get; set; } = null!;
    [Inject] private MeasureMachine Machines { get; set; } = null!;
    [Inject] private ReadModels Models { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    private string Command => string.Join(' ', new[] { "llmops plan", question.Version ?? question.Model }.OfType<string>()
        .Concat(question.ToTexts().Where(t => t.Key is not ("version" or "model")).Select(t => $"--{t.Key.Replace('_', '-')} {t.Value}")));

    protected override async Task OnInitializedAsync()
    {
        Navigation.LocationChanged += OnMoved;
        models = (await Models.ListAsync(new ListQuery(null, null, false, 0, MostModels))).Rows;
        await ReadAsync();
    }

    public void Dispose() => Navigation.LocationChanged -= OnMoved;

    private void OnMoved(object? sender, LocationChangedEventArgs e)
    {
        if (new Uri(e.Location).AbsolutePath == "/plan")
            _ = InvokeAsync(async () =>
            {
                await ReadAsync();
                StateHasChanged();
            });
    }

    private async Task ReadAsync()
    {
        var known = FitQuestion.Fields.Select(f => f.Name).ToHashSet();
        var address = QueryHelpers.ParseQuery(new Uri(Navigation.Uri).Query).Where(q => known.Contains(q.Key)).Select(q => (q.Key, q.Value.ToString()));
        machine = await Machines.FindAsync();
        (question, outcome) = await Fit.TryAnswerAsync(address, Defaults);
    }

    /// <summary>An address without a model or machine shows something that can be looked at: what this server has, on a machine that is known.</summary>
    private FitQuestion Defaults(FitQuestion asked)
    {
        if (asked is { Version: null, Model: null } && !asked.HasSizes)
            asked = models!.FirstOrDefault(m => m.Newest > 0) is { } newest ? asked with { Version = $"{newest.Name}/{newest.Newest}" } : asked with { Model = "llama-3.1-8b" };
        return asked.Hardware is null ? asked with { Hardware = machine is null ? "cpu-desktop-8" : FitQuestion.ThisMachine } : asked;
    }

    private void Ask(FitQuestion next) =>
        Navigation.NavigateTo(QueryHelpers.AddQueryString("/plan", next.ToTexts().ToDictionary(t => t.Key, t => (string?)t.Value)), replace: true);

    private void MeasuredAsync() => Ask(question with { Hardware = FitQuestion.ThisMachine, MemoryGib = null, BandwidthGbS = null, Fp32Tflops = null, HalfTflops = null, Int8Tops = null });

    private static string Source(Hardware hardware) => hardware.Source switch
    {
        HardwareSource.Measured => $"{hardware.Name} was measured: {string.Join(" ", hardware.Notes)}",
        HardwareSource.DataSheet => $"{hardware.Name}: the maker's peaks{(hardware.Notes.Count > 0 ? $" ({string.Join(", ", hardware.Notes)})" : "")}, of which {(hardware.Kind == HardwareKind.Gpu ? "80 % of the bandwidth and half of the arithmetic are assumed" : "80 % of the bandwidth is assumed")}.",
        _ => $"{hardware.Name}: figures that were typed in.",
    };
}

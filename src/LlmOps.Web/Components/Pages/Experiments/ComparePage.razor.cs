using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Experiments;

/// <summary>Runs side by side: what differs between them first, and their curves over each other.</summary>
public sealed partial class ComparePage
{
    public const int MostRuns = 6;
    private IReadOnlyList<RunDetail>? runs;
    private string? read;
    private bool equal;
    private IReadOnlyList<IReadOnlyList<OutputSeries>> outputs = [];
    /// <summary>A chart reads behind its last step only; a run that is behind the others would never be drawn on. Counting up draws all anew.</summary>
    private int drawing;

    [Inject] private ReadRuns Runs { get; set; } = null!;
    [Inject] private ReadRunOutputs Outputs { get; set; } = null!;
    [Inject] private ReadCurves Curves { get; set; } = null!;

    [SupplyParameterFromQuery] private string? Ids { get; set; }

    /// <summary>Runs of the same name are told apart by the beginning of their ids' random end.</summary>
    private IReadOnlyList<string> Names => [.. runs!.Select(r => runs!.Count(o => o.Name == r.Name) > 1 ? $"{r.Name} {r.Id.ToString()[^4..]}" : r.Name)];

    private IReadOnlyList<string> MetricKeys => [.. MetricGroups.Of(runs!.SelectMany(r => r.Metrics.Select(m => m.Key)).Distinct()).SelectMany(g => g.Keys)];

    private IReadOnlyList<(string Key, IReadOnlyList<string?> Values)> Parameters =>
        [.. runs!.SelectMany(r => r.Params.Select(p => p.Key)).Distinct().Order(StringComparer.Ordinal)
            .Select(key => (key, (IReadOnlyList<string?>)[.. runs!.Select(r => r.Params.FirstOrDefault(p => p.Key == key)?.Value)]))];

    private IReadOnlyList<(string Key, IReadOnlyList<string?> Values)> Different => [.. Parameters.Where(p => p.Values.Distinct().Count() > 1)];

    private IReadOnlyList<(string Key, IReadOnlyList<string?> Values)> Same => [.. Parameters.Where(p => p.Values.Distinct().Count() == 1)];

    private sealed record Shown(Guid Id, int Step, string Text, bool Picture);

    /// <summary>The newest of what each run made under a title that more than one of them has.</summary>
    private IEnumerable<(string Title, IReadOnlyList<Shown?> Made)> Made =>
        outputs.SelectMany(o => o.Select(s => s.Title)).GroupBy(t => t).Where(g => g.Count() > 1).Select(g => (g.Key, (IReadOnlyList<Shown?>)[.. outputs.Select(o => Newest(o.FirstOrDefault(s => s.Title == g.Key)))]));

    private static Shown? Newest(OutputSeries? series) => series?.Points[^1] is { } last ? new(last.Id, last.Step, last.Text, series.IsPicture) : null;

    /// <summary>The value that most of the runs have, which the others are marked against; the first run's when there is none.</summary>
    private static string? Usual(IReadOnlyList<string?> values) => values.GroupBy(v => v).OrderByDescending(g => g.Count()).First().Key;

    private (string Key, string Name) Judged => runs!.Count(r => r.Metrics.Any(m => m.Key == "held_out_loss")) > 1 ? ("held_out_loss", "held-out loss") : ("loss", "training loss");

    /// <summary>Single runs have no interval, so this names the lowest loss and does not call it better.</summary>
    private string Summary
    {
        get
        {
            var losses = runs!.Index().Select(r => (Name: Names[r.Index], Loss: r.Item.Metrics.FirstOrDefault(m => m.Key == Judged.Key)?.Last)).Where(r => r.Loss is not null).OrderBy(r => r.Loss).ToList();
            var differ = Different.Count == 0 ? "All parameters are equal." : $"{Different.Count} parameter{(Different.Count == 1 ? " differs" : "s differ")}.";
            return losses.Count < 2 ? differ : $"{differ} The last {Judged.Name} is lowest in {losses[0].Name} ({Display.Number(losses[0].Loss!.Value)}) and highest in {losses[^1].Name} ({Display.Number(losses[^1].Loss!.Value)}); one run each, so this is no proof of a difference.";
        }
    }

    protected override async Task OnParametersSetAsync()
    {
        if (read == (Ids ?? "")) return;
        read = Ids ?? "";
        runs = null;
        await ReadAsync();
    }

    private async Task ReadAsync()
    {
        var found = new List<RunDetail>();
        foreach (var text in read!.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct().Take(MostRuns + 1))
            found.Add(await Runs.GetAsync(Guid.TryParse(text, out var id) ? id : throw LlmOpsException.NotFound("Run", text)));
        var made = new List<IReadOnlyList<OutputSeries>>();
        foreach (var run in found.Count > MostRuns ? [] : found)
            made.Add(run.Outputs == 0 ? [] : await Outputs.SeriesAsync(run.Id));
        (runs, outputs) = (found, made);
    }

    private async Task<CurvePoints> CurveAsync(string key, double? after, CancellationToken ct) =>
        MetricGroups.Points(await Curves.ReadAsync([.. runs!.Select(r => new CurveOf(r.Id, key))], (int?)after, ct));
}

using System.Globalization;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Experiments;

/// <summary>What the model made while it was trained: each title is a series over steps. The newest is shown until a person chooses a step; then that one stays.</summary>
public sealed partial class RunOutputs
{
    private const int FewTexts = 4;
    private const int MostInStrip = 12;
    private readonly Dictionary<string, Guid> chosen = [];
    private readonly HashSet<string> whole = [];
    private IReadOnlyList<OutputSeries>? series;
    private (Guid Run, int Count) read;

    [Inject] private ReadRunOutputs Outputs { get; set; } = null!;

    [Parameter, EditorRequired] public Guid RunId { get; set; }
    /// <summary>Outputs stored by now: when it grows, they are read again.</summary>
    [Parameter, EditorRequired] public int Count { get; set; }
    [Parameter] public bool Running { get; set; }

    protected override async Task OnParametersSetAsync()
    {
        if (read == (RunId, Count) && series is not null) return;
        read = (RunId, Count);
        series = await Outputs.SeriesAsync(RunId);
    }

    private string Address(OutputPoint point) => $"/api/v1/runs/{RunId}/outputs/{point.Id}/picture";

    private static string Alternative(OutputSeries of, OutputPoint point) => point.Text.Length > 0 ? $"{of.Title}, step {point.Step}: {point.Text}" : $"{of.Title} at step {point.Step}";

    private OutputPoint Shown(OutputSeries of) => of.Points[IndexOf(of)];

    private int IndexOf(OutputSeries of)
    {
        if (chosen.TryGetValue(of.Title, out var id))
            for (var i = 0; i < of.Points.Count; i++)
                if (of.Points[i].Id == id) return i;
        return of.Points.Count - 1;
    }

    private void Choose(OutputSeries of, OutputPoint point) => chosen[of.Title] = point.Id;

    private void Choose(OutputSeries of, string? index)
    {
        if (int.TryParse(index, CultureInfo.InvariantCulture, out var i) && i >= 0 && i < of.Points.Count) Choose(of, of.Points[i]);
    }

    /// <summary>A few steps from the first to the last.</summary>
    private static IEnumerable<OutputPoint> Strip(OutputSeries of) =>
        of.Points.Count <= MostInStrip ? of.Points : Enumerable.Range(0, MostInStrip).Select(i => of.Points[i * (of.Points.Count - 1) / (MostInStrip - 1)]);

    private IEnumerable<OutputPoint> Texts(OutputSeries of) => of.Points.Reverse().Take(whole.Contains(of.Title) ? int.MaxValue : FewTexts);

    private void Toggle(OutputSeries of)
    {
        if (!whole.Remove(of.Title)) whole.Add(of.Title);
    }

    private static string Steps(OutputSeries of) => of.Points.Count == 1 ? $"step {Display.Count(of.Points[0].Step)}" : $"{of.Points.Count} steps, {Display.Count(of.Points[0].Step)} to {Display.Count(of.Points[^1].Step)}";
}

using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Experiments;

/// <summary>One training run, live while it runs.</summary>
public sealed partial class RunPage
{
    private static readonly string[] KeyMetrics = ["loss", "held_out_loss", "rewards/accuracies", "tokens_per_second"];
    private readonly Dictionary<string, LiveCurve?> curves = [];
    private IReadOnlyList<MetricGroup> groups = [];
    private RunDetail? run;

    [Inject] private ReadRuns Runs { get; set; } = null!;
    [Inject] private ReadCurves Curves { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;

    [Parameter] public Guid Id { get; set; }

    private IEnumerable<MetricSummary> Key => KeyMetrics.Select(k => run!.Metrics.FirstOrDefault(m => m.Key == k)).OfType<MetricSummary>();

    /// <summary>The run's own state, or what a person asked of it that has not happened yet.</summary>
    private string Shown => run switch
    {
        { IsPaused: true } => "Paused",
        { State: RunState.Running, Origin.CancelRequested: true } => "Cancelling",
        { State: RunState.Running, Origin.Control: JobControl.Pause } => "Pausing",
        { State: RunState.Running, Origin.Control: JobControl.StopAndKeep } => "Ending",
        { State: RunState.Running, Origin.JobState: JobState.Queued } => "Queued",
        _ => run!.State.ToString(),
    };

    private static bool IsTraining(RunOrigin origin) => StageKinds.Find(origin.Kind)?.Group == "train";

    protected override async Task OnParametersSetAsync()
    {
        if (run?.Id == Id) return;
        run = null;
        curves.Clear();
        await ReadAsync();
    }

    private async Task ReadAsync()
    {
        run = await Runs.GetAsync(Id);
        groups = MetricGroups.Of(run.Metrics.Select(m => m.Key));
        foreach (var group in groups)
            if (curves.GetValueOrDefault(group.Identity) is { } curve) await curve.RefreshAsync();
    }

    private async Task<CurvePoints> CurveAsync(MetricGroup group, double? after, CancellationToken ct) =>
        MetricGroups.Points(await Curves.ReadAsync([.. group.Keys.Select(k => new CurveOf(Id, k))], (int?)after, ct));
}

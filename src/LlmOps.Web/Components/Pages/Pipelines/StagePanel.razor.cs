using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>The chosen stage of a run: how far it is, what it says, what was tried, and what a person can do about it.</summary>
public sealed partial class StagePanel
{
    private const int LogWindow = 5000;
    private const int LongestLog = 50_000;
    private readonly List<string> lines = [];
    private readonly ProgressRate rate = new();
    private IReadOnlyList<JobRow> jobs = [];
    private MarkSucceeded mark = null!;
    private Guid? logOf;
    private long lastLine;
    private bool reading;

    [Inject] private ReadJobs Jobs { get; set; } = null!;
    [Inject] private ControlPipeline Control { get; set; } = null!;
    [Inject] private CancelJobUseCase CancelJob { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public PipelineRunDetail Run { get; set; } = null!;
    [Parameter, EditorRequired] public StageDetail Stage { get; set; } = null!;
    [Parameter, EditorRequired] public EventCallback OnChanged { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    private string Shown => Stage switch
    {
        { State: StageState.Running, CancelRequested: true } => "Cancelling",
        { State: StageState.Running, Control: JobControl.Pause } => "Pausing",
        { State: StageState.Queued, Control: JobControl.Pause } => "Paused",
        { State: StageState.Running, Control: JobControl.StopAndKeep } => "Ending",
        _ => Stage.State.ToString(),
    };

    private string? RerunObjection => Objection ?? (Stage.State switch
    {
        StageState.Running or StageState.Queued => "It is still running. Cancel it first.",
        StageState.WaitingForApproval => "It waits for an approval. Reject the approval first.",
        _ => null,
    });

    private string? MarkObjection => Objection ?? (StageKinds.Find(Stage.Kind) is { IsHuman: true } or { Name: "gate" }
        ? $"A stage of the kind {Stage.Kind} decides; nobody can decide it away." : null);

    protected override Task OnInitializedAsync() => RefreshAsync();

    /// <summary>Reads what was logged since the last time and the jobs of the stage.</summary>
    public async Task RefreshAsync()
    {
        if (reading) return;
        reading = true;
        try
        {
            rate.Note(Stage.JobId, Stage.Progress, Clock.GetUtcNow());
            jobs = await Jobs.OfStageAsync(Stage.Id);
            await ReadLogAsync();
        }
        finally
        {
            reading = false;
        }
    }

    private async Task ReadLogAsync()
    {
        if (logOf != Stage.JobId)
        {
            (logOf, lastLine) = (Stage.JobId, 0);
            lines.Clear();
        }
        if (logOf is not { } job) return;
        while (lines.Count < LongestLog)
        {
            var window = await Jobs.LogAsync(job, lastLine, LogWindow);
            lines.AddRange(window.Select(Text));
            if (window.Count > 0) lastLine = window[^1].Id;
            if (window.Count < LogWindow) return;
        }
    }

    private static string Text(LogLine line) =>
        $"{line.At.UtcDateTime:HH:mm:ss} {(line.Level switch { "error" => "ERROR ", "warning" => "WARN ", _ => "" })}{line.Text.ReplaceLineEndings(" ⏎ ")}";

    private async Task RerunAsync()
    {
        await Control.RerunFromAsync(Run.Id, Stage.Name, Actor);
        await OnChanged.InvokeAsync();
    }

    private async Task CancelAsync()
    {
        await CancelJob.CancelAsync(Stage.JobId!.Value, Actor);
        await OnChanged.InvokeAsync();
    }
}

using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>How to show a run: bars in a terminal, lines in a log, and nothing where only its end is asked for, as JSON.</summary>
internal interface IStageDisplay
{
    void Show(StageRun stage, Job? job);
}

internal sealed class NoStages : IStageDisplay
{
    public void Show(StageRun stage, Job? job) { }
}

internal sealed class StageBars(ProgressContext context) : IStageDisplay
{
    private readonly Dictionary<string, ProgressTask> bars = [];

    public void Show(StageRun stage, Job? job)
    {
        if (!bars.TryGetValue(stage.Name, out var bar))
            bars[stage.Name] = bar = context.AddTask(stage.Name, autoStart: false);
        if (stage.State is StageState.Running or StageState.WaitingForApproval && !bar.IsStarted)
            bar.StartTask();
        bar.Value = stage.State == StageState.Succeeded ? 100 : (job?.Progress ?? 0) * 100;
        bar.Description = stage.State switch
        {
            StageState.Running => $"[blue]{stage.Name}[/] [grey]{Markup.Escape(job?.ProgressText ?? "")}[/]",
            StageState.Succeeded => $"[green]{stage.Name}[/]",
            StageState.Failed => $"[red]{stage.Name}[/] {Markup.Escape(stage.Error ?? "")}",
            StageState.WaitingForApproval => $"[purple]{stage.Name}[/]",
            _ => $"[grey]{stage.Name}[/]",
        };
        if (!stage.IsOver || bar.IsFinished)
            return;
        bar.StartTask();
        bar.StopTask();
    }
}

internal sealed class StageLines : IStageDisplay
{
    private readonly Dictionary<string, StageState> seen = [];

    public void Show(StageRun stage, Job? job)
    {
        if (stage.State is StageState.Pending or StageState.Queued || seen.GetValueOrDefault(stage.Name) == stage.State)
            return;
        seen[stage.Name] = stage.State;
        var took = stage is { IsOver: true, StartedAt: { } start, EndedAt: { } end } ? $" after {(end - start).TotalSeconds:0.0} s" : "";
        Console.WriteLine($"{stage.Name}: {stage.State}{took}{(stage.Error is null ? "" : " — " + stage.Error)}");
    }
}

using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Worker.Handlers;

/// <summary>
/// "It got worse" is an answer and no failure of the stage: the verdict is an output, and whoever started the run decides what follows
/// from it. It writes nothing but that, so that it can run any number of times.
/// </summary>
public sealed class CompareRunsHandler(JudgeRuns judge) : IJobHandler
{
    public string Kind => "compare-runs";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var verdict = await judge.JudgeAsync(job.Spec<StageSpec>().Parameters<CompareRunsParameters>(), ct);
        job.Log(verdict.Outcome.Words, verdict.Outcome.Verdict == Verdict.Pass ? "info" : "warning");
        foreach (var reason in verdict.Outcome.Reasons)
            job.Log($"{reason.Verdict}: {reason.Rule} — {reason.Reason}");
        await job.CompleteAsync(_ => Task.FromResult(verdict.ToOutputs()), ct);
    }
}

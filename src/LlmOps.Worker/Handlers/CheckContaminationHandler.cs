using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Handlers;

/// <summary>
/// Fills the contamination ledger and says what is in it. A leak is an answer and no failure of the stage: a gate that demands zero decides
/// what follows. Each pair is stored as soon as it is compared, so a job that was killed goes on with the others.
/// </summary>
public sealed class CheckContaminationHandler(CheckContamination check, Hints hints) : IJobHandler
{
    private const int MostLogged = 20;

    public string Kind => "check-contamination";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<CheckContaminationParameters>();
        var (runs, statements) = (StartContaminationCheck.Runs(p), new List<ContaminationStatement>());
        if (runs.Count == 0)
            statements.Add(await check.OfQuestionAsync(StartContaminationCheck.Question(p), job.Report, ct));
        foreach (var (i, run) in runs.Index())
            statements.Add(await check.OfRunAsync(run, progress: (share, text) => job.Report((i + share) / runs.Count, text), ct: ct));
        foreach (var statement in statements)
        {
            job.Log(statement.Words, statement.Verdict == ContaminationVerdict.Clean ? "info" : "warning");
            foreach (var row in statement.Named(MostLogged))
                job.Log(row, "warning");
        }
        var worst = statements.MaxBy(s => s.Verdict switch { ContaminationVerdict.Contaminated => 2, ContaminationVerdict.CannotTell => 1, _ => 0 })!;
        await job.CompleteAsync(async db =>
        {
            foreach (var (i, id) in runs.Index())
                if (await db.EvaluationRuns.SingleOrDefaultAsync(r => r.Id == id, ct) is { } run)
                    RunStatement.Write(run, statements[i]);
            return new() { ["verdict"] = worst.Verdict.ToString(), ["rows"] = $"{statements.Max(s => s.Exact + s.Near)}", ["unchecked"] = string.Join("; ", statements.SelectMany(s => s.Unchecked).Distinct()) };
        }, ct);
        await hints.ChangedAsync(Areas.Evaluation, Guid.Empty);
        await hints.ChangedAsync(Areas.Dataset, Guid.Empty);
    }
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Webhooks;

namespace LlmOps.Worker.Handlers;

public sealed class GateHandler(JudgeVersion judge) : IJobHandler
{
    public string Kind => "gate";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<GateParameters>();
        var question = new GateQuestion(p.Version, p.Suite, p.Champion, p.Policy, p.Rules);
        var answer = await judge.JudgeAsync(question, ct);
        foreach (var one in answer.Variants)
        {
            job.Log($"{one.Candidate.VariantName}: {one.Outcome.Verdict}.", one.Outcome.Verdict == Verdict.Pass ? "info" : "warning");
            foreach (var reason in one.Outcome.Reasons)
                job.Log($"{one.Candidate.VariantName}: {reason.Verdict}: {reason.Rule} — {reason.Reason}");
        }
        var chosen = Choose([.. answer.Variants.Where(j => j.Outcome.Verdict == Verdict.Pass)], p);
        // Guarded by the job's fencing token, and the decision's unique index holds its job: a job that runs twice decides once.
        Task RecordAsync(LlmOpsDb db)
        {
            db.GateDecisions.AddRange(answer.Variants.Select(v => JudgeVersion.Decision(answer, question, v, job.JobId, spec.StageRunId, v == chosen, job.Time.GetUtcNow())));
            return db.AnnounceGateAsync(answer, question, chosen?.Candidate.VariantName, job.Time.GetUtcNow(), ct);
        }
        if (chosen is null)
        {
            var reasons = answer.Variants.SelectMany(j => j.Outcome.Reasons.Where(r => r.Verdict != Verdict.Pass).Take(1).Select(r => $"{j.Candidate.VariantName}: {r.Rule} — {r.Reason}"));
            await job.RefuseAsync(RecordAsync, $"No variant passes the gate. {string.Join(" ", reasons)}", ct);
            return;
        }
        job.Log($"{chosen.Candidate.VariantName} goes on ({p.Choose}).");
        await job.CompleteAsync(async kept =>
        {
            await RecordAsync(kept);
            return new Dictionary<string, string> { ["version"] = p.Version, ["variant"] = chosen.Candidate.VariantName, ["decision"] = nameof(Verdict.Pass) };
        }, ct);
    }

    private static JudgedVariant? Choose(IReadOnlyList<JudgedVariant> passing, GateParameters p)
    {
        double Metric(JudgedVariant j, string name) => j.Candidate.Metrics.FirstOrDefault(m => m.Name == name) is { } m ? (m.HigherIsBetter ? -m.Value : m.Value) : double.PositiveInfinity;
        return p.Choose switch
        {
            "fastest" => passing.MinBy(j => Metric(j, EvaluationTasks.Decode.FullName)),
            "best-quality" => passing.MinBy(j => Metric(j, p.QualityMetric)),
            _ => passing.MinBy(j => j.Candidate.SizeBytes),
        };
    }
}

using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Handlers;

public sealed class GateHandler(CompareRuns compare) : IJobHandler
{
    private sealed record Judged(EvaluationRun Run, GateCandidate Candidate, GateOutcome Outcome);

    public string Kind => "gate";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<GateParameters>();
        PromotionGate.EnsureValid(p.Rules);
        await using var db = await job.OpenDbAsync(ct);
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Version), ct);
        var judged = await JudgeAsync(db, version, p, ct);
        foreach (var one in judged)
        {
            job.Log($"{one.Candidate.VariantName}: {one.Outcome.Verdict}.", one.Outcome.Verdict == Verdict.Pass ? "info" : "warning");
            foreach (var reason in one.Outcome.Reasons)
                job.Log($"{one.Candidate.VariantName}: {reason.Verdict}: {reason.Rule} — {reason.Reason}");
        }
        var chosen = Choose([.. judged.Where(j => j.Outcome.Verdict == Verdict.Pass)], p);
        if (chosen is null)
        {
            var reasons = judged.SelectMany(j => j.Outcome.Reasons.Where(r => r.Verdict != Verdict.Pass).Take(1).Select(r => $"{j.Candidate.VariantName}: {r.Rule} — {r.Reason}"));
            await job.RefuseAsync(kept => { Record(kept, job, spec, version, judged, null, p); return Task.CompletedTask; }, $"No variant passes the gate. {string.Join(" ", reasons)}", ct);
            return;
        }
        job.Log($"{chosen.Candidate.VariantName} goes on ({p.Choose}).");
        await job.CompleteAsync(kept =>
        {
            Record(kept, job, spec, version, judged, chosen, p);
            return Task.FromResult(new Dictionary<string, string> { ["version"] = p.Version, ["variant"] = chosen.Candidate.VariantName, ["decision"] = nameof(Verdict.Pass) });
        }, ct);
    }

    private async Task<List<Judged>> JudgeAsync(LlmOpsDb db, ModelVersion version, GateParameters p, CancellationToken ct)
    {
        var runs = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics)
            .Where(r => r.VersionId == version.Id && r.Suite!.Name == p.Suite && r.State == JobState.Succeeded && r.VariantName != EvaluateHandler.Checkpoint).ToListAsync(ct);
        var newest = runs.GroupBy(r => r.VariantName).Select(g => g.MaxBy(r => r.StartedAt)!).OrderBy(r => r.VariantName, StringComparer.Ordinal).ToList();
        if (newest.Count == 0)
            throw LlmOpsException.Invalid($"No variant of {p.Version} was measured with the suite '{p.Suite}'. Put an evaluate stage before the gate.");
        var champion = await ChampionRunAsync(db, version, p, ct);
        var judged = new List<Judged>();
        foreach (var run in newest)
        {
            var variant = await db.ModelVariants.AsNoTracking().SingleOrDefaultAsync(v => v.VersionId == version.Id && v.Name == run.VariantName, ct);
            if (variant is null)
                continue;
            var differences = champion is null ? null : (await compare.CompareAsync(champion.Value, run.Id, ct: ct)).Differences.ToDictionary(d => d.Name);
            var candidate = new GateCandidate(run.VariantName, version.ParityPassed, variant.SizeBytes,
                [.. run.Metrics.Select(m => new MeasuredMetric(m.Name, m.Value, m.Low, m.High, m.N, m.Unit, m.HigherIsBetter))], differences);
            judged.Add(new(run, candidate, PromotionGate.Evaluate(p.Rules, candidate)));
        }
        return judged;
    }

    private static async Task<Guid?> ChampionRunAsync(LlmOpsDb db, ModelVersion version, GateParameters p, CancellationToken ct)
    {
        var alias = await db.Aliases.AsNoTracking().SingleOrDefaultAsync(a => a.ModelId == version.ModelId && a.Name == p.Champion, ct);
        if (alias is null || alias.VersionId == version.Id)
            return null;
        return await db.EvaluationRuns.Where(r => r.VersionId == alias.VersionId && r.VariantName == alias.VariantName && r.Suite!.Name == p.Suite && r.State == JobState.Succeeded)
            .OrderByDescending(r => r.StartedAt).Select(r => (Guid?)r.Id).FirstOrDefaultAsync(ct)
            ?? throw LlmOpsException.Invalid($"The champion '{p.Champion}' was never measured with the suite '{p.Suite}', so nothing can be compared with it. Evaluate it first.");
    }

    private static Judged? Choose(IReadOnlyList<Judged> passing, GateParameters p)
    {
        double Metric(Judged j, string name) => j.Candidate.Metrics.FirstOrDefault(m => m.Name == name) is { } m ? (m.HigherIsBetter ? -m.Value : m.Value) : double.PositiveInfinity;
        return p.Choose switch
        {
            "fastest" => passing.MinBy(j => Metric(j, EvaluationTasks.Decode.FullName)),
            "best-quality" => passing.MinBy(j => Metric(j, p.QualityMetric)),
            _ => passing.MinBy(j => j.Candidate.SizeBytes),
        };
    }

    private static void Record(LlmOpsDb db, JobContext job, StageSpec spec, ModelVersion version, List<Judged> judged, Judged? chosen, GateParameters p)
    {
        db.GateDecisions.AddRange(judged.Select(j => new GateDecision
        {
            VersionId = version.Id, VariantName = j.Candidate.VariantName, Verdict = j.Outcome.Verdict, Chosen = j == chosen, ReasonsJson = Json.Write(j.Outcome.Reasons),
            PolicyJson = Json.Write(p), EvaluationRunId = j.Run.Id, JobId = job.JobId, StageRunId = spec.StageRunId, At = job.Time.GetUtcNow(),
        }));
    }
}

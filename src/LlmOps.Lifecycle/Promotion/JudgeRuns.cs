using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines.Stages;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

public sealed record RunVerdict(Guid CandidateRunId, Guid? BaselineRunId, GateOutcome Outcome)
{
    /// <summary>As the outputs of a stage.</summary>
    public Dictionary<string, string> ToOutputs() => new()
    {
        ["verdict"] = Outcome.Verdict.ToString(), ["candidate"] = CandidateRunId.ToString(), ["baseline"] = BaselineRunId?.ToString() ?? "", ["reasons"] = Json.Write(Outcome.Reasons),
    };
}

/// <summary>
/// Judges one evaluation run against another, by rules or a policy. It only reads. Each call is a first look: a schedule that measures
/// again every night asks a new question each time, and spends the policy's whole alpha on it.
/// </summary>
public sealed class JudgeRuns(IDbContextFactory<LlmOpsDb> dbs, CompareRuns compare, ReadPolicies policies)
{
    public async Task<RunVerdict> JudgeAsync(CompareRunsParameters p, CancellationToken ct = default)
    {
        if (p.Policy.Length == 0)
            PromotionGate.EnsureValid(p.Rules);
        var document = p.Policy.Length > 0 ? (await policies.GetByKeyAsync(p.Policy, ct)).Document : PolicyDocument.OfRules(p.Rules);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var candidate = await RunAsync(db, p.Candidate, ct);
        var baseline = p.Baseline.Length == 0 ? null : await RunAsync(db, p.Baseline, ct);
        var version = await db.ModelVersions.AsNoTracking().SingleAsync(v => v.Id == candidate.VersionId, ct);
        var size = await db.ModelVariants.AsNoTracking().Where(v => v.VersionId == version.Id && v.Name == candidate.VariantName).Select(v => (long?)v.SizeBytes).SingleOrDefaultAsync(ct) ?? version.SizeBytes;
        var comparison = baseline is null ? null : await compare.CompareAsync(baseline.Id, candidate.Id, ct: ct);
        var metrics = candidate.Metrics.Select(m => new MeasuredMetric(m.Name, m.Value, m.Low, m.High, m.N, m.Unit, m.HigherIsBetter));
        return new(candidate.Id, baseline?.Id, PromotionGate.Evaluate(document, new GateCandidate(candidate.VariantName, version.ParityPassed, size, [.. metrics], comparison?.Differences.ToDictionary(d => d.Name))
        {
            Licence = version.Licence, Compared = comparison?.Metrics.ToDictionary(m => m.Difference.Name) ?? [], Incomparable = comparison?.Incomparable ?? new Dictionary<string, string>(), Machines = RunFacts.Parse(candidate.DetailJson).Machines, Champion = baseline is null ? null : "the baseline",
            JudgeWarnings = await ReadJudgements.WarningsAsync(db, candidate, ct),
            Contamination = document.Rules.Any(r => r.Kind == PolicyRuleKind.Contamination) ? await FindContamination.FindAsync(db, candidate, ct) : null,
        }));
    }

    private static async Task<EvaluationRun> RunAsync(LlmOpsDb db, string text, CancellationToken ct)
    {
        // An evaluate stage names one run for each variant it measured; which of several is meant could only be guessed.
        if (!Guid.TryParse(text, out var id))
            throw LlmOpsException.Invalid($"'{text}' is not the id of one evaluation run. Let the evaluate stage before measure exactly one variant.");
        var run = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw LlmOpsException.NotFound("Evaluation run", id);
        return run.State == JobState.Succeeded ? run : throw LlmOpsException.Invalid($"The evaluation run {id} is {run.State}: what it has measured so far is no basis for a verdict.");
    }
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <param name="Policy">"name/number"; empty when <paramref name="Rules"/> judge.</param>
/// <param name="Champion">An alias of the model, or a version and variant, "name/1:int8".</param>
/// <param name="Variant">Only this variant; null for all that were measured.</param>
public sealed record GateQuestion(string Version, string Suite, string Champion = "production", string Policy = "", IReadOnlyList<string>? Rules = null, string? Variant = null);

/// <summary>One variant and what the gate said about it.</summary>
public sealed record JudgedVariant(EvaluationRun Run, EvaluationRun? ChampionRun, GateCandidate Candidate, GateOutcome Outcome);

/// <summary>What a decision was made on, as it is stored with it.</summary>
public sealed record GateReport(string? Policy, string? PolicyDigest, string Suite, string? Champion, Guid RunId, Guid? ChampionRunId, int Look, int Looks, double Alpha, int? MoreRows, string Words,
    IReadOnlyList<MetricComparison> Compared, ContaminationFinding? Contamination);

public sealed record GateAnswer(ModelVersion Version, PolicyDetail? Policy, IReadOnlyList<JudgedVariant> Variants);

/// <summary>Judges the newest evaluation of each variant of a version by a policy, against the champion.</summary>
public sealed class JudgeVersion(IDbContextFactory<LlmOpsDb> dbs, CompareRuns compare, ReadPolicies policies, TimeProvider time)
{
    /// <summary>Judges and keeps the decision: every look counts, whoever asks.</summary>
    public async Task<GateAnswer> DecideAsync(GateQuestion question, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        var answer = await JudgeAsync(question, ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        db.GateDecisions.AddRange(answer.Variants.Select(v => Decision(answer, question, v, Guid.CreateVersion7(), null, false, now)));
        db.Record(actor, "judge", "model-version", question.Version, now, after: new { question.Policy, question.Suite, verdicts = answer.Variants.ToDictionary(v => v.Candidate.VariantName, v => v.Outcome.Verdict.ToString()) });
        await db.AnnounceGateAsync(answer, question, null, now, ct);
        await db.SaveChangesAsync(ct);
        return answer;
    }

    public async Task<GateAnswer> JudgeAsync(GateQuestion question, CancellationToken ct = default)
    {
        var policy = question.Policy.Length > 0 ? await policies.GetByKeyAsync(question.Policy, ct) : null;
        if (policy is null)
            PromotionGate.EnsureValid(question.Rules ?? []);
        var document = policy?.Document ?? PolicyDocument.OfRules(question.Rules!);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(question.Version), ct);
        var variants = await db.ModelVariants.AsNoTracking().Where(v => v.VersionId == version.Id && (question.Variant == null || v.Name == question.Variant)).ToDictionaryAsync(v => v.Name, ct);
        var runs = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).Where(r => r.VersionId == version.Id && r.Suite!.Name == question.Suite && r.State == JobState.Succeeded).ToListAsync(ct);
        var newest = runs.Where(r => variants.ContainsKey(r.VariantName)).GroupBy(r => r.VariantName).Select(g => g.OrderByDescending(r => r.StartedAt).ThenBy(r => r.Repeat).First()).OrderBy(r => r.VariantName, StringComparer.Ordinal).ToList();
        if (newest.Count == 0)
            throw LlmOpsException.Invalid($"No variant of {question.Version} was measured with the suite '{question.Suite}'. Put an evaluate stage before the gate.");
        var champion = await FindChampion.FindAsync(db, version, question, ct);
        var judged = new List<JudgedVariant>();
        foreach (var run in newest)
        {
            var other = champion is null || champion.Id == run.Id || champion.VersionId == run.VersionId && champion.VariantName == run.VariantName ? null : champion;
            var comparison = other is null ? null : await compare.CompareAsync(other.Id, run.Id, ct: ct);
            var candidate = new GateCandidate(run.VariantName, version.ParityPassed, variants[run.VariantName].SizeBytes, Measured(run), comparison?.Differences.ToDictionary(d => d.Name))
            {
                Licence = version.Licence, Compared = comparison?.Metrics.ToDictionary(m => m.Difference.Name) ?? [], Incomparable = comparison?.Incomparable ?? new Dictionary<string, string>(), Machines = RunFacts.Parse(run.DetailJson).Machines, Champion = other is null ? null : question.Champion,
                JudgeWarnings = await ReadJudgements.WarningsAsync(db, run, ct),
                Contamination = document.Rules.Any(r => r.Kind == PolicyRuleKind.Contamination) ? await FindContamination.FindAsync(db, run, ct) : null,
                Look = await LookAsync(db, policy, version, run, ct),
            };
            judged.Add(new(run, other, candidate, PromotionGate.Evaluate(document, candidate)));
        }
        return new(version, policy, judged);
    }

    public static GateDecision Decision(GateAnswer answer, GateQuestion question, JudgedVariant judged, Guid jobId, Guid? stageRunId, bool chosen, DateTimeOffset now) => new()
    {
        VersionId = answer.Version.Id, VariantName = judged.Candidate.VariantName, Verdict = judged.Outcome.Verdict, Chosen = chosen, ReasonsJson = Json.Write(judged.Outcome.Reasons),
        PolicyJson = Json.Write(question), PolicyId = answer.Policy?.Id, Look = judged.Candidate.Look, EvaluationRunId = judged.Run.Id, JobId = jobId, StageRunId = stageRunId, At = now,
        ReportJson = Json.Write(new GateReport(answer.Policy?.Key, answer.Policy?.Digest, question.Suite, judged.Candidate.Champion, judged.Run.Id, judged.ChampionRun?.Id, judged.Outcome.Look, judged.Outcome.Looks, judged.Outcome.Alpha,
            judged.Outcome.MoreRows, judged.Outcome.Words, [.. judged.Candidate.Compared.Values.OrderBy(m => m.Difference.Name, StringComparer.Ordinal)], judged.Candidate.Contamination)),
    };

    /// <summary>Judging the same measurement again is no new look: nothing new was seen.</summary>
    private static async Task<int> LookAsync(LlmOpsDb db, PolicyDetail? policy, ModelVersion version, EvaluationRun run, CancellationToken ct)
    {
        if (policy is null)
            return 1;
        var seen = await db.GateDecisions.AsNoTracking().Where(d => d.PolicyId == policy.Id && d.VersionId == version.Id && d.VariantName == run.VariantName && d.EvaluationRunId != null)
            .Select(d => new { d.EvaluationRunId, d.Look }).ToListAsync(ct);
        return seen.FirstOrDefault(d => d.EvaluationRunId == run.Id)?.Look ?? seen.Select(d => d.EvaluationRunId).Distinct().Count() + 1;
    }

    private static List<MeasuredMetric> Measured(EvaluationRun run)
    {
        var measured = run.Metrics.Select(m => new MeasuredMetric(m.Name, m.Value, m.Low, m.High, m.N, m.Unit, m.HigherIsBetter)).ToList();
        if (RunDetail.Cost(run.DetailJson) is { } cost)
            measured.Add(new("cost_usd", cost, cost, cost, 1, "USD", false));
        return measured;
    }
}

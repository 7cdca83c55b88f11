using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;
using YamlDotNet.Serialization;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>One form of a model: a version and one of its variants, or "checkpoint".</summary>
public sealed record ModelForm(VersionKey Version, string Variant);

/// <param name="BaselineRunId">A run that exists already and is compared with as it is.</param>
/// <param name="Note">What a reader has to know about the choice, for example that there is no baseline yet.</param>
public sealed record RegressionPlan(ModelForm Candidate, ModelForm? Baseline, Guid? BaselineRunId, string? Note)
{
    /// <summary>The built-in suite's name, or "name/number" of a suite version.</summary>
    public string Suite { get; init; } = "";

    public const string CompareStage = "compare";
    public const string CandidateStage = "evaluate-candidate";
    public const string BaselineStage = "evaluate-baseline";

    /// <summary>Decides what is measured, as things are now. A word like "production" means whoever holds it when the schedule fires.</summary>
    public static async Task<RegressionPlan> ResolveAsync(LlmOpsDb db, Schedule schedule, RegressionSpec spec, DateTimeOffset now, CancellationToken ct)
    {
        var candidate = await FormAsync(db, RegressionSubject.Parse(spec.Subject), null, ct)
            ?? throw LlmOpsException.Invalid($"Nothing is behind '{spec.Subject}' now, so there is nothing to measure. Promote or deploy a version, or change the schedule.");
        var suite = spec.IsBuiltIn ? spec.Suite : await SuiteAsync(db, spec, ct);
        return await BaselineAsync(db, schedule, spec, candidate, now, ct) with { Suite = suite };
    }

    private static async Task<string> SuiteAsync(LlmOpsDb db, RegressionSpec spec, CancellationToken ct)
    {
        var numbers = db.SuiteVersions.Where(v => db.EvaluationSuites.Any(s => s.Id == v.SuiteId && s.Name == spec.Suite) && (spec.SuiteNumber == null || v.Number == spec.SuiteNumber));
        var number = await numbers.MaxAsync(v => (int?)v.Number, ct)
            ?? throw LlmOpsException.NotFound("Suite version", spec.SuiteNumber is { } asked ? $"{spec.Suite}/{asked.ToString(CultureInfo.InvariantCulture)}" : spec.Suite);
        return $"{spec.Suite}/{number.ToString(CultureInfo.InvariantCulture)}";
    }

    private static async Task<RegressionPlan> BaselineAsync(LlmOpsDb db, Schedule schedule, RegressionSpec spec, ModelForm candidate, DateTimeOffset now, CancellationToken ct)
    {
        if (spec.Baseline == "previous")
            return await PreviousAsync(db, schedule, candidate, ct);
        var baseline = await FormAsync(db, RegressionSubject.Parse(spec.Baseline), now.AddDays(-spec.BaselineDays), ct);
        if (baseline is null)
            return new(candidate, null, null, $"Nobody held '{spec.Baseline}' {spec.BaselineDays} days ago: only the absolute rules decide.");
        // The same form measured again in the same minute would be compared with itself: what it was is in the earlier run.
        return baseline == candidate ? await PreviousAsync(db, schedule, candidate, ct) : new(candidate, baseline, null, null);
    }

    /// <summary>The newest earlier firing that did not fail: a regression that stays must not become what the next one is measured by.</summary>
    private static async Task<RegressionPlan> PreviousAsync(LlmOpsDb db, Schedule schedule, ModelForm candidate, CancellationToken ct)
    {
        var earlier = await db.ScheduleFirings.AsNoTracking().Where(f => f.ScheduleId == schedule.Id && f.Verdict != null && f.Verdict != Verdict.Fail && f.ResultJson != null)
            .OrderByDescending(f => f.DueAt).Select(f => f.ResultJson!).FirstOrDefaultAsync(ct);
        var run = earlier is null ? null : Json.Read<FiringResult>(earlier).CandidateRunId;
        return new(candidate, null, run, run is null ? "No earlier firing to compare with: only the absolute rules decide." : null);
    }

    private static async Task<ModelForm?> FormAsync(LlmOpsDb db, RegressionSubject subject, DateTimeOffset? asOf, CancellationToken ct)
    {
        if (subject.Version is { } version)
        {
            _ = await db.ModelVersions.GetAsync(version, ct);
            return new(version, subject.Variant!);
        }
        if (subject.Deployment is { } deployment)
        {
            var serving = await db.Deployments.AsNoTracking().Where(d => d.Name == deployment).SelectMany(d => d.Revisions).Where(r => r.TrafficPercent > 0)
                .OrderByDescending(r => r.TrafficPercent).ThenByDescending(r => r.Number).Select(r => new { r.VersionId, r.VariantName }).FirstOrDefaultAsync(ct);
            return serving is null ? null : new(await KeyAsync(db, serving.VersionId, ct), serving.VariantName);
        }
        var model = await db.Models.Where(m => m.Name == subject.Model).Select(m => (Guid?)m.Id).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Model", subject.Model!);
        if (asOf is { } then)
        {
            var move = await db.AliasMoves.AsNoTracking().Where(m => m.ModelId == model && m.Name == subject.Alias && m.At <= then).OrderByDescending(m => m.At).ThenByDescending(m => m.Id).FirstOrDefaultAsync(ct);
            return move is null ? null : new(await KeyAsync(db, move.ToVersionId, ct), move.VariantName ?? "checkpoint");
        }
        var alias = await db.Aliases.AsNoTracking().SingleOrDefaultAsync(a => a.ModelId == model && a.Name == subject.Alias, ct);
        return alias is null ? null : new(await KeyAsync(db, alias.VersionId, ct), alias.VariantName ?? "checkpoint");
    }

    private static async Task<VersionKey> KeyAsync(LlmOpsDb db, Guid versionId, CancellationToken ct) =>
        (await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == versionId, ct)).Key();

    /// <summary>The pipeline that measures and compares: an ordinary run, so that it can be watched, cancelled and re-run like any other.</summary>
    public string ToYaml(string name, string schedule, RegressionSpec spec)
    {
        var stages = new List<object> { Evaluate(CandidateStage, Candidate, spec) };
        if (Baseline is not null)
            stages.Add(Evaluate(BaselineStage, Baseline, spec));
        var compare = new Dictionary<string, object> { ["candidate"] = $"${{{CandidateStage}.runs}}" };
        if (Baseline is not null)
            compare["baseline"] = $"${{{BaselineStage}.runs}}";
        else if (BaselineRunId is { } run)
            compare["baseline"] = run.ToString();
        if (spec.Policy is { Length: > 0 } policy)
            compare["policy"] = policy;
        else
            compare["rules"] = spec.Rules;
        stages.Add(new Dictionary<string, object> { ["name"] = CompareStage, ["kind"] = "compare-runs", ["with"] = compare });
        return new SerializerBuilder().Build().Serialize(new Dictionary<string, object> { ["name"] = name, ["description"] = $"Made by the schedule {schedule} for one firing.", ["stages"] = stages });
    }

    private Dictionary<string, object> Evaluate(string name, ModelForm form, RegressionSpec spec)
    {
        var with = new Dictionary<string, object> { ["version"] = form.Version.ToString(), ["variants"] = new[] { form.Variant }, ["suite"] = Suite };
        if (!spec.IsBuiltIn)
            return new() { ["name"] = name, ["kind"] = "evaluate-suite", ["with"] = with };
        with["max_rows"] = spec.Rows;
        with["probe_repeats"] = 0;
        foreach (var (key, value) in new[] { ("corpus", spec.Corpus), ("instructions", spec.Instructions), ("preferences", spec.Preferences) })
            if (value.Length > 0)
                with[key] = value;
        return new() { ["name"] = name, ["kind"] = "evaluate", ["with"] = with };
    }

    /// <summary>The definition that holds the schedule's newest document. The id keeps two schedules with like names apart.</summary>
    public static string PipelineName(Schedule schedule)
    {
        var plain = new string([.. schedule.Name.Select(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) ? c : '-')]);
        return $"regression-{plain[..Math.Min(plain.Length, 40)].Trim('-')}-{schedule.Id.ToString("N")[^8..]}";
    }
}

using System.Globalization;
using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Promotion;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <param name="Rows">Rows that the evaluation would have; null for as many as the suite's newest run.</param>
/// <param name="Policy">"name/number": its alpha and margins are used; empty for alpha 0.05 and <paramref name="Margin"/> alone.</param>
/// <param name="Margin">Difference that has to be seen, in the metrics' own units.</param>
public sealed record PlanQuestion(string Suite, int? Rows = null, string Policy = "", double? Margin = null, double Power = 0.8);

/// <summary>How a metric's spread is known.</summary>
public enum SpreadSource { EarlierPair, OneRun, Worst }

/// <summary>What an evaluation of so many rows would be able to see of one metric.</summary>
/// <param name="Spread">Standard deviation of one row's difference between two models.</param>
/// <param name="Discordance">Share of rows on which earlier runs differ.</param>
/// <param name="Detectable">The smallest true difference that is seen with the wanted power.</param>
/// <param name="Margin">The policy's margin.</param>
/// <param name="RowsForMargin">Rows that decide a candidate just as good as the champion at that margin.</param>
public sealed record PlannedMetric(string Name, string Unit, int Rows, double Spread, SpreadSource Source, double? Discordance, double Detectable, double? Margin, int? RowsForMargin)
{
    public bool? Enough => RowsForMargin is { } needed ? needed <= Rows : null;

    public string Words
    {
        get
        {
            string Number(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
            var seen = $"{Rows.ToString("N0", CultureInfo.InvariantCulture)} rows show a difference of {Number(Detectable)} {Unit} or more";
            return RowsForMargin is { } needed
                ? $"{seen}; the margin {Number(Margin!.Value)} needs {needed.ToString("N0", CultureInfo.InvariantCulture)} rows{(Enough == true ? ", so these are enough" : $", {(needed - Rows).ToString("N0", CultureInfo.InvariantCulture)} more")}."
                : seen + ".";
        }
    }
}

/// <param name="Alpha">One-sided.</param>
/// <param name="Basis">Where the spreads come from, in words.</param>
public sealed record EvaluationPlan(string Suite, int Rows, double Alpha, double Power, string Basis, IReadOnlyList<PlannedMetric> Metrics);

/// <summary>Before a run is started: what its rows would be able to show, from the rows of earlier runs.</summary>
public sealed class PlanEvaluation(IDbContextFactory<LlmOpsDb> dbs, CompareRuns compare, ReadPolicies policies)
{
    private const int LookedThrough = 20;

    public async Task<EvaluationPlan> PlanAsync(PlanQuestion question, CancellationToken ct = default)
    {
        if (question.Rows is < 2 or > 100_000_000)
            throw LlmOpsException.Invalid("An evaluation has 2 to 100,000,000 rows.");
        if (question.Power is not (>= 0.5 and < 1) || question.Margin is { } m && !(m > 0))
            throw LlmOpsException.Invalid("The power is from 0.5 to below 1, and a margin is above 0.");
        var policy = question.Policy.Length > 0 ? (await policies.GetByKeyAsync(question.Policy, ct)).Document : null;
        await using var db = await dbs.CreateDbContextAsync(ct);
        var runs = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).Where(r => r.Suite!.Name == question.Suite && r.State == JobState.Succeeded)
            .OrderByDescending(r => r.StartedAt).ThenByDescending(r => r.Id).Take(LookedThrough).ToListAsync(ct);
        if (runs.Count == 0)
            throw LlmOpsException.Invalid($"The suite '{question.Suite}' was never run, so nothing is known about how its rows differ. Run it once on a few rows, then plan.");
        var comparison = await EarlierPairAsync(runs, ct);
        var alpha = policy is null ? 0.05 : PromotionGate.AlphaOf(policy, 1);
        var power = policy?.Power ?? question.Power;
        var metrics = new List<PlannedMetric>();
        foreach (var task in RunTasks.Of(runs[0]))
            if (Plan(task, runs[0], comparison?.Metrics.FirstOrDefault(c => c.Task.FullName == task.FullName), question, policy, alpha, power) is { } planned)
                metrics.Add(planned);
        var basis = comparison is null
            ? "Only one form of a model was measured with this suite. How rows differ between two is not known yet, so rows are taken as unrelated, which asks for more of them than are needed."
            : "The spread of a row's difference is taken from the newest two runs of this suite on the same rows.";
        return new(question.Suite, question.Rows ?? metrics.Select(x => x.Rows).DefaultIfEmpty(0).Max(), alpha, power, basis, metrics);
    }

    /// <summary>The newest run with the newest other one of a different form that shares its rows: two runs of one form hardly differ.</summary>
    private async Task<Comparison?> EarlierPairAsync(List<EvaluationRun> runs, CancellationToken ct)
    {
        foreach (var other in runs.Skip(1).Where(r => (r.VersionId, r.VariantName) != (runs[0].VersionId, runs[0].VariantName)))
            if (await compare.CompareAsync(other.Id, runs[0].Id, ct: ct) is { Metrics.Count: > 0 } comparison)
                return comparison;
        return null;
    }

    private static PlannedMetric? Plan(EvaluationTask task, EvaluationRun run, MetricComparison? pair, PlanQuestion question, PolicyDocument? policy, double alpha, double power)
    {
        var measured = run.Metrics.FirstOrDefault(x => x.Name == task.FullName);
        var have = pair?.Difference.N ?? measured?.N ?? 0;
        if (have < 2)
            return null;
        var rows = question.Rows ?? have;
        var margin = policy?.Rules.FirstOrDefault(r => r.Kind == PolicyRuleKind.NonInferiority && r.Metric == task.FullName && r.Bound > 0)?.Bound ?? question.Margin ?? task.Margin;
        var (spread, source) = Spread(task, measured, pair);
        if (spread == 0)
            return null; // every row is 0 so far, and nothing bounds what another would be
        return new(task.FullName, task.Unit, rows, spread, source, pair?.Discordance,
            Power.MinimumDetectableEffect(spread, rows, alpha, power, oneSided: true), margin, margin > 0 ? (int)Math.Min(int.MaxValue, Power.RowsNeeded(spread, margin.Value, alpha, power, oneSided: true)) : null);
    }

    private static (double Spread, SpreadSource Source) Spread(EvaluationTask task, EvaluationMetric? measured, MetricComparison? pair)
    {
        if (pair is { Spread: > 0 })
            return (pair.Spread, SpreadSource.EarlierPair);
        // Unrelated rows: the variances of both models add up.
        if (measured is not null && measured.High > measured.Low)
            return ((measured.High - measured.Low) / (2 * 1.959963984540054) * Math.Sqrt(measured.N) * Math.Sqrt(2), SpreadSource.OneRun);
        // Nothing varied so far: for what lies between 0 and 1 the worst is known, every other row flips.
        return (task.Proportion || task.Unit is "share" or "F1" ? Math.Sqrt(0.5) : Math.Abs(measured?.Value ?? 1), SpreadSource.Worst);
    }
}

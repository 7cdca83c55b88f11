using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Sweeps.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Sweeps;

/// <param name="Runs">Runs there will be when none fails.</param>
/// <param name="Over">Trials that ended, however.</param>
/// <param name="Best">Value of the best trial so far.</param>
public sealed record SweepRow(Guid Id, string Name, string Description, string Pipeline, string Stage, string Method, string Metric, bool Minimise, SweepState State, string CreatedBy,
    DateTimeOffset CreatedAt, DateTimeOffset? EndedAt, int Trials, int Over, long Runs, double? Best);

/// <param name="PipelineRun">Number of the pipeline run.</param>
/// <param name="ContinuesFromStep">Of a promoted trial: the step of the rung below that it went on from; null when it began anew.</param>
public sealed record TrialRow(Guid Id, int Number, int Rung, int? PromotedFrom, TrialState State, double? Value, string? Error, JsonObject Parameters, Guid? PipelineRunId, int? PipelineRun, Guid? RunId,
    DateTimeOffset CreatedAt, DateTimeOffset? EndedAt, int? ContinuesFromStep = null);

/// <param name="Given">The searched stage's parameters as every trial was given them, before its own.</param>
public sealed record SweepDetail(SweepRow Row, string? Error, SearchSpace Space, SweepMetric Metric, SweepPlan Plan, IReadOnlyList<TrialRow> Trials, TrialRow? Best, IReadOnlyList<ParameterImportance> Importance,
    JsonObject Given)
{
    /// <summary>Names of what differs between trials, in the order of the space; halving's budget last.</summary>
    public IReadOnlyList<string> Columns => [.. Space.Dimensions.Select(d => d.Name), .. Plan.Method == SweepMethods.Halving ? new[] { Plan.Halving.Budget } : []];
}

/// <summary>Sweeps as lists and their pages show them.</summary>
public sealed class ReadSweeps(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <summary>Newest first.</summary>
    public async Task<Window<SweepRow>> ListAsync(ListQuery query, SweepState? state = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var sweeps = db.Sweeps.AsNoTracking();
        if (state is { } wanted)
            sweeps = sweeps.Where(s => s.State == wanted);
        if (query.Needle is { Length: > 0 } text)
            sweeps = sweeps.Where(s => s.Name.Contains(text) || s.Pipeline.Contains(text) || s.CreatedBy.ToLower().Contains(text));
        var page = await sweeps.OrderByDescending(s => s.CreatedAt).ThenByDescending(s => s.Id).WindowAsync(query.Skip, query.Take, ct);
        var ids = page.Rows.Select(s => s.Id).ToList();
        var trials = (await db.SweepTrials.AsNoTracking().Where(t => ids.Contains(t.SweepId)).Select(t => new { t.SweepId, t.Number, t.Rung, t.State, t.Value }).ToListAsync(ct)).ToLookup(t => t.SweepId);
        return new([.. page.Rows.Select(s => Row(s, [.. trials[s.Id].Select(t => (t.Number, t.Rung, t.State, t.Value))]))], page.Total);
    }

    public async Task<SweepDetail> GetAsync(string name, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var sweep = await db.Sweeps.AsNoTracking().Include(s => s.Trials).SingleOrDefaultAsync(s => s.Name == name, ct) ?? throw LlmOpsException.NotFound("Sweep", name);
        var runIds = sweep.Trials.Where(t => t.PipelineRunId is not null).Select(t => t.PipelineRunId!.Value).ToList();
        var numbers = await db.PipelineRuns.AsNoTracking().Where(r => runIds.Contains(r.Id)).Select(r => new { r.Id, r.Number }).ToDictionaryAsync(r => r.Id, r => r.Number, ct);
        var byId = sweep.Trials.ToDictionary(t => t.Id, t => t.Number);
        var steps = await PromotedTrial.StepsAsync(db, sweep, ct);
        var trials = sweep.Trials.OrderBy(t => t.Number).Select(t => new TrialRow(t.Id, t.Number, t.Rung, t.PromotedFromId is { } from ? byId[from] : null, t.State, t.Value, t.Error,
            (JsonObject)JsonNode.Parse(t.ParametersJson)!, t.PipelineRunId, t.PipelineRunId is { } run ? numbers[run] : null, t.RunId, t.CreatedAt, t.EndedAt,
            t.PipelineRunId is { } id && steps.TryGetValue(id, out var step) ? step : null)).ToList();
        var plan = sweep.Plan();
        var best = BestNumber([.. trials.Select(t => (t.Number, t.Rung, t.State, t.Value))], sweep.Minimise);
        // Trials of different rungs had different budgets: only the first rung, which has all points, is compared.
        var compared = trials.Where(t => t is { Rung: 0, State: TrialState.Succeeded, Value: not null }).Select(t => (plan.Space.PointOf(t.Parameters)!, t.Value!.Value)).ToList();
        return new(Row(sweep, [.. trials.Select(t => (t.Number, t.Rung, t.State, t.Value))]), sweep.Error, plan.Space, sweep.MetricOf(), plan, trials,
            trials.FirstOrDefault(t => t.Number == best), ParameterImportance.Of(plan.Space, compared, sweep.Seed),
            PipelineDocument.TryParse(sweep.PipelineYaml, [])?.Stages.FirstOrDefault(s => s.Name == sweep.Stage)?.Parameters ?? []);
    }

    /// <summary>The best trial of the highest rung that has one: more budget makes a better number, so rungs are not compared. Of two alike the earlier.</summary>
    public static int? BestNumber(IReadOnlyList<(int Number, int Rung, TrialState State, double? Value)> trials, bool minimise) =>
        trials.Where(t => t is { State: TrialState.Succeeded, Value: not null }).OrderByDescending(t => t.Rung).ThenBy(t => minimise ? t.Value : -t.Value).ThenBy(t => t.Number)
            .Select(t => (int?)t.Number).FirstOrDefault();

    private static SweepRow Row(Sweep sweep, IReadOnlyList<(int Number, int Rung, TrialState State, double? Value)> trials)
    {
        var best = BestNumber(trials, sweep.Minimise);
        return new(sweep.Id, sweep.Name, sweep.Description, sweep.Pipeline, sweep.Stage, sweep.Method, sweep.Metric, sweep.Minimise, sweep.State, sweep.CreatedBy, sweep.CreatedAt, sweep.EndedAt,
            trials.Count, trials.Count(t => t.State is not (TrialState.Planned or TrialState.Running)), sweep.Plan().Runs(), trials.FirstOrDefault(t => t.Number == best).Value);
    }
}

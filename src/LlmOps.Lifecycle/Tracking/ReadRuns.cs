using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

public sealed record ExperimentRow(Guid Id, string Name, string Description, int Runs, int Running, int Failed, DateTimeOffset LastAt);

public sealed record RunRow(Guid Id, string Experiment, string Name, RunState State, string CreatedBy, DateTimeOffset StartedAt, DateTimeOffset? EndedAt)
{
    /// <summary>Value at the last step of each metric that a list shows.</summary>
    public IReadOnlyDictionary<string, double> Last { get; init; } = new Dictionary<string, double>();
    public long Steps { get; init; }
    public string? Verdict { get; init; }
    /// <summary>The loss, thinned out to what a table cell can show.</summary>
    public IReadOnlyList<double> Loss { get; init; } = [];
}

public sealed record RunParam(string Key, string Value);

/// <param name="Steps">Last step at which the metric was logged.</param>
public sealed record MetricSummary(string Key, int Points, long Steps, double Last, double Min, double Max);

public sealed record RunDetail(Guid Id, Guid ExperimentId, string Experiment, string Name, RunState State, Guid? JobId, string CreatedBy, DateTimeOffset StartedAt, DateTimeOffset? EndedAt)
{
    public IReadOnlyList<RunParam> Params { get; init; } = [];
    public IReadOnlyList<MetricSummary> Metrics { get; init; } = [];
    public IReadOnlyList<KeyValue> Tags { get; init; } = [];
    /// <summary>Data that the run says it has read.</summary>
    public IReadOnlyList<DatasetSummary> Inputs { get; init; } = [];
    public RunOrigin? Origin { get; init; }
    public RunVersion? Version { get; init; }
    /// <summary>How the training ended, in one word of the trainer ("converged", "overfitting", …), and why.</summary>
    public string? Verdict { get; init; }
    public string? VerdictText { get; init; }
    public int Checkpoints { get; init; }
    public int Outputs { get; init; }

    /// <summary>Somebody paused it: it waits until it is resumed.</summary>
    public bool IsPaused => State == RunState.Running && Origin is { Control: JobControl.Pause, JobState: JobState.Queued };
}

public sealed record RunOrigin(Guid PipelineRunId, string Pipeline, int RunNumber, string Stage, double Progress, string? ProgressText, string? Error)
{
    public string Kind { get; init; } = "";
    public JobState JobState { get; init; }
    /// <summary>What a person asked of it and the worker has not answered yet, or a pause that lasts.</summary>
    public string Control { get; init; } = "";
    public int Attempt { get; init; }
    public bool CancelRequested { get; init; }
}

public sealed record RunVersion(string Model, int Number);

/// <summary>Experiments, their runs, and one run without its curves.</summary>
public sealed class ReadRuns(IDbContextFactory<LlmOpsDb> dbs, WriteGroups groups)
{
    private static readonly string[] Listed = ["loss", "held_out_loss", "tokens_per_second", "rewards/accuracies"];
    private const int SparklinePoints = 40;

    public async Task<Window<ExperimentRow>> ExperimentsAsync(ListQuery query, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var needle = query.Needle;
        var rows = db.Experiments.AsNoTracking().Where(e => e.DeletedAt == null).Where(e => needle == "" || e.Name.ToLower().Contains(needle) || e.Description.ToLower().Contains(needle))
            .Select(e => new
            {
                e, Runs = db.Runs.Count(r => r.ExperimentId == e.Id && r.DeletedAt == null), Running = db.Runs.Count(r => r.ExperimentId == e.Id && r.DeletedAt == null && r.State == RunState.Running),
                Failed = db.Runs.Count(r => r.ExperimentId == e.Id && r.DeletedAt == null && r.State == RunState.Failed),
                At = db.Runs.Where(r => r.ExperimentId == e.Id).OrderByDescending(r => r.StartedAt).Select(r => (DateTimeOffset?)r.StartedAt).FirstOrDefault() ?? e.CreatedAt,
            });
        var ordered = query.Sort switch
        {
            "name" => rows.By(query.Descending, r => r.e.Name, r => r.e.Id),
            "runs" => rows.By(query.Descending, r => r.Runs, r => r.e.Id),
            "failed" => rows.By(query.Descending, r => r.Failed, r => r.e.Id),
            "last" => rows.By(query.Descending, r => r.At, r => r.e.Id),
            _ => rows.By(true, r => r.At, r => r.e.Id),
        };
        return await ordered.Select(r => new ExperimentRow(r.e.Id, r.e.Name, r.e.Description, r.Runs, r.Running, r.Failed, r.At)).WindowAsync(query.Skip, query.Take, ct);
    }

    public async Task<ExperimentRow> ExperimentAsync(string name, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.Experiments.AsNoTracking().Where(e => e.Name == name).Select(e => new ExperimentRow(e.Id, e.Name, e.Description, db.Runs.Count(r => r.ExperimentId == e.Id && r.DeletedAt == null),
            db.Runs.Count(r => r.ExperimentId == e.Id && r.DeletedAt == null && r.State == RunState.Running), db.Runs.Count(r => r.ExperimentId == e.Id && r.DeletedAt == null && r.State == RunState.Failed), e.CreatedAt)).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.NotFound("Experiment", name);
    }

    /// <param name="only">Of these runs only, as a filter found them; null for all.</param>
    public async Task<Window<RunRow>> ListAsync(Guid experimentId, ListQuery query, RunState? state = null, IReadOnlyCollection<Guid>? only = null, CancellationToken ct = default)
    {
        await groups.SettleAsync(ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var needle = query.Needle;
        var rows = db.Runs.AsNoTracking().Where(r => r.ExperimentId == experimentId && r.DeletedAt == null && (state == null || r.State == state)
            && (only == null || only.Contains(r.Id)) && (needle == "" || r.Name.ToLower().Contains(needle) || r.CreatedBy.ToLower().Contains(needle)));
        var ordered = query.Sort switch
        {
            "name" => rows.By(query.Descending, r => r.Name, r => r.Id),
            "state" => rows.By(query.Descending, r => r.State, r => r.Id),
            "by" => rows.By(query.Descending, r => r.CreatedBy, r => r.Id),
            "started" => rows.By(query.Descending, r => r.StartedAt, r => r.Id),
            // what has no value yet counts as largest: the two databases put nulls at different ends
            "ended" => rows.By(query.Descending, r => r.EndedAt ?? DateTimeOffset.MaxValue, r => r.Id),
            "loss" => rows.By(query.Descending, r => db.LatestMetrics.Where(m => m.RunId == r.Id && m.Key == "loss" && !m.IsNan).Select(m => (double?)m.Value).FirstOrDefault() ?? double.MaxValue, r => r.Id),
            _ => rows.By(true, r => r.StartedAt, r => r.Id),
        };
        var page = await ordered.Select(r => new RunRow(r.Id, r.Experiment!.Name, r.Name, r.State, r.CreatedBy, r.StartedAt, r.EndedAt) { Verdict = r.Verdict }).WindowAsync(query.Skip, query.Take, ct);
        Guid[] ids = [.. page.Rows.Select(r => r.Id)];
        var last = (await db.LatestMetrics.AsNoTracking().Where(m => ids.Contains(m.RunId) && Listed.Contains(m.Key)).ToListAsync(ct)).ToLookup(m => m.RunId);
        var loss = await SparklinesAsync(db, ids, ct);
        return page with
        {
            Rows = [.. page.Rows.Select(r => r with
            {
                Last = last[r.Id].ToDictionary(m => m.Key, m => m.Number), Steps = last[r.Id].Select(m => m.Step).DefaultIfEmpty(0L).Max(), Loss = [.. loss[r.Id]],
            })],
        };
    }

    public async Task<RunDetail> GetAsync(Guid id, CancellationToken ct = default)
    {
        await groups.SettleAsync(ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await db.Runs.AsNoTracking().Where(r => r.Id == id)
            .Select(r => new RunDetail(r.Id, r.ExperimentId, r.Experiment!.Name, r.Name, r.State, r.JobId, r.CreatedBy, r.StartedAt, r.EndedAt)
            {
                Verdict = r.Verdict, VerdictText = r.VerdictText, Checkpoints = db.RunCheckpoints.Count(c => c.RunId == id), Outputs = db.RunOutputs.Count(o => o.RunId == id),
            }).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.NotFound("Run", id);
        var last = await db.LatestMetrics.AsNoTracking().Where(m => m.RunId == id).ToListAsync(ct);
        var ranges = (await db.Metrics.AsNoTracking().Where(m => m.RunId == id && !m.IsNan).GroupBy(m => m.Key).Select(g => new { g.Key, Count = g.Count(), Min = g.Min(m => m.Value), Max = g.Max(m => m.Value) }).ToListAsync(ct)).ToDictionary(r => r.Key);
        return run with
        {
            Tags = await db.RunTags.AsNoTracking().Where(t => t.RunId == id).OrderBy(t => t.Key).Select(t => new KeyValue(t.Key, t.Value)).ToListAsync(ct),
            Inputs = await db.RunDatasets.AsNoTracking().Where(d => d.RunId == id).OrderBy(d => d.Dataset!.Name).Select(d => new DatasetSummary(d.Dataset!.ExperimentId, d.Dataset.Name, d.Dataset.Digest, d.Context)).ToListAsync(ct),
            Params = await db.Params.AsNoTracking().Where(p => p.RunId == id).OrderBy(p => p.Key).Select(p => new RunParam(p.Key, p.Value)).ToListAsync(ct),
            // a metric of which no point is a number has no range
            Metrics = [.. last.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => ranges.TryGetValue(m.Key, out var r) ? new MetricSummary(m.Key, r.Count, m.Step, m.Number, r.Min, r.Max) : new MetricSummary(m.Key, 0, m.Step, m.Number, double.NaN, double.NaN))],
            Origin = await (from j in db.Jobs.AsNoTracking()
                            join s in db.StageRuns.AsNoTracking() on j.StageRunId equals s.Id
                            where j.Id == run.JobId
                            select new RunOrigin(s.PipelineRunId, s.PipelineRun!.Name, s.PipelineRun.Number, s.Name, j.Progress, j.ProgressText, j.Error) { Kind = j.Kind, JobState = j.State, Control = j.Control, Attempt = j.Attempt, CancelRequested = j.CancelRequested }).SingleOrDefaultAsync(ct),
            Version = await db.ModelVersions.AsNoTracking().Where(v => v.RunId == id).Select(v => new RunVersion(v.Model!.Name, v.Number)).FirstOrDefaultAsync(ct),
        };
    }

    private static async Task<ILookup<Guid, double>> SparklinesAsync(LlmOpsDb db, Guid[] ids, CancellationToken ct)
    {
        var rows = await ReadMetricHistory.SampleAsync(db, ids, "loss", SparklinePoints, withNan: false, ct);
        return rows.ToLookup(r => r.RunId, r => r.Value);
    }
}

using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

public sealed record MetricPoint(string Key, int Step, double Value);

/// <summary>Writes runs, parameters and curves from inside a job. A repeated job finds its run and adds only what is missing.</summary>
public static class LogRun
{
    public static async Task<Run> EnsureRunAsync(this LlmOpsDb db, string experiment, string name, Guid jobId, string createdBy, IReadOnlyDictionary<string, string> parameters, DateTimeOffset now, CancellationToken ct)
    {
        if (await db.Runs.SingleOrDefaultAsync(r => r.JobId == jobId, ct) is { } existing)
        {
            existing.State = RunState.Running;
            existing.EndedAt = null;
            return existing;
        }
        var parent = await db.Experiments.SingleOrDefaultAsync(e => e.Name == experiment, ct);
        if (parent is null)
            db.Experiments.Add(parent = new Experiment { Name = experiment, CreatedAt = now });
        var run = new Run
        {
            ExperimentId = parent.Id, Name = name, State = RunState.Running, JobId = jobId, CreatedBy = createdBy, StartedAt = now,
            Params = [.. parameters.Select(p => new Param { ExperimentId = parent.Id, StartedAt = now, Key = p.Key, Value = p.Value })],
        };
        db.Runs.Add(run);
        return run;
    }

    /// <summary>Points of a step that is stored already are left out: a resumed training logs the steps since its checkpoint again.</summary>
    public static async Task AddMetricsAsync(this LlmOpsDb db, Guid runId, IReadOnlyCollection<MetricPoint> points, DateTimeOffset now, CancellationToken ct)
    {
        if (points.Count == 0)
            return;
        var (first, last) = (points.Min(p => p.Step), points.Max(p => p.Step));
        var stored = await db.Metrics.AsNoTracking().Where(m => m.RunId == runId && m.Step >= first && m.Step <= last).Select(m => new { m.Key, m.Step }).ToListAsync(ct);
        var known = stored.Select(s => (s.Key, s.Step)).ToHashSet();
        var added = points.Where(p => known.Add((p.Key, p.Step))).ToList();
        db.Metrics.AddRange(added.Select(p => new Metric { RunId = runId, Key = p.Key, Step = p.Step, Value = double.IsNaN(p.Value) ? 0 : p.Value, IsNan = double.IsNaN(p.Value), At = now }));
        await AddLatestAsync(db, runId, added, now, ct);
    }

    private static async Task AddLatestAsync(LlmOpsDb db, Guid runId, List<MetricPoint> added, DateTimeOffset now, CancellationToken ct)
    {
        var experiment = db.Runs.Local.FirstOrDefault(r => r.Id == runId)?.ExperimentId ?? await db.Runs.Where(r => r.Id == runId).Select(r => r.ExperimentId).SingleAsync(ct);
        var latest = await db.LatestMetrics.Where(m => m.RunId == runId).ToDictionaryAsync(m => m.Key, ct);
        foreach (var point in added.GroupBy(p => p.Key).Select(g => g.MaxBy(p => p.Step)!))
        {
            var (value, nan) = double.IsNaN(point.Value) ? (0, true) : (point.Value, false);
            if (!latest.TryGetValue(point.Key, out var row))
                db.LatestMetrics.Add(new LatestMetric { RunId = runId, Key = point.Key, ExperimentId = experiment, Value = value, IsNan = nan, Step = point.Step, At = now });
            else if (row.IsOlderThan(now, point.Step, value))
                (row.Value, row.IsNan, row.Step, row.At) = (value, nan, point.Step, now);
        }
    }

    /// <summary>Outputs of a step and title that are stored already are left out, for the same reason.</summary>
    public static async Task AddOutputsAsync(this LlmOpsDb db, Guid runId, IReadOnlyCollection<RunOutput> outputs, CancellationToken ct)
    {
        if (outputs.Count == 0)
            return;
        var steps = outputs.Select(o => o.Step).ToList();
        var stored = await db.RunOutputs.AsNoTracking().Where(o => o.RunId == runId && steps.Contains(o.Step)).Select(o => new { o.Step, o.Title }).ToListAsync(ct);
        var known = stored.Select(s => (s.Step, s.Title)).ToHashSet();
        db.RunOutputs.AddRange(outputs.Where(o => known.Add((o.Step, o.Title))));
    }

    /// <summary>Checkpoints of steps that are stored already are left out; a new best one takes the word from the one before it.</summary>
    public static async Task AddCheckpointsAsync(this LlmOpsDb db, Guid runId, IReadOnlyCollection<RunCheckpoint> checkpoints, CancellationToken ct)
    {
        if (checkpoints.Count == 0)
            return;
        var steps = checkpoints.Select(c => c.Step).ToList();
        var known = (await db.RunCheckpoints.AsNoTracking().Where(c => c.RunId == runId && steps.Contains(c.Step)).Select(c => c.Step).ToListAsync(ct)).ToHashSet();
        var added = checkpoints.Where(c => known.Add(c.Step)).OrderBy(c => c.Step).ToList();
        if (added.FindLast(c => c.Best) is { } best)
        {
            await db.RunCheckpoints.Where(c => c.RunId == runId && c.Best).ExecuteUpdateAsync(s => s.SetProperty(c => c.Best, false), ct);
            added.ForEach(c => c.Best = c == best);
        }
        db.RunCheckpoints.AddRange(added);
    }
}

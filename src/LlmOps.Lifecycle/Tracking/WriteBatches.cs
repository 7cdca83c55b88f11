using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking.Journal;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>Writes many batches in the transaction that is open. Points go past the change tracker, by one prepared statement; the few parameters and tags go through it.</summary>
internal static class WriteBatches
{
    private const string RunNameTag = "mlflow.runName";

    private sealed record Target(Guid Id, Guid ExperimentId, DateTimeOffset StartedAt, bool IsDeleted);

    /// <returns>For each batch why it was not written, or null.</returns>
    public static async Task<IReadOnlyList<LlmOpsException?>> WriteAsync(LlmOpsDb db, IReadOnlyList<LogBatch> batches, CancellationToken ct)
    {
        Guid[] ids = [.. batches.Select(b => b.RunId).Distinct()];
        var runs = await db.Runs.AsNoTracking().Where(r => ids.Contains(r.Id)).Select(r => new Target(r.Id, r.ExperimentId, r.StartedAt, r.DeletedAt != null)).ToDictionaryAsync(r => r.Id, ct);
        var stored = await StoredParamsAsync(db, batches, ct);
        var refusals = new List<LlmOpsException?>(batches.Count);
        var good = new List<LogBatch>(batches.Count);
        foreach (var batch in batches)
        {
            var refusal = Refusal(batch, runs.GetValueOrDefault(batch.RunId), stored);
            refusals.Add(refusal);
            if (refusal is not null)
                continue;
            good.Add(batch);
            // What this batch says holds for those behind it in the group.
            foreach (var (key, value) in batch.Params)
                if (stored.TryAdd((batch.RunId, key), value))
                    db.Params.Add(new Param { RunId = batch.RunId, ExperimentId = runs[batch.RunId].ExperimentId, StartedAt = runs[batch.RunId].StartedAt, Key = key, Value = value });
        }
        await TagAsync(db, good, runs, ct);
        if (db.ChangeTracker.HasChanges())
            await db.SaveChangesAsync(ct);
        if (good.Exists(b => b.Metrics.Count > 0))
        {
            var (points, newest) = SortPoints.Sort([.. good.Select(b => new LoggedPoints(b.RunId, runs[b.RunId].ExperimentId, b.Metrics))]);
            await WritePoints.WriteAsync(db, points, ct);
            await WritePoints.WriteNewestAsync(db, newest, ct);
        }
        await AddToModelsAsync(db, good, ct);
        return refusals;
    }

    private static async Task<Dictionary<(Guid, string), string>> StoredParamsAsync(LlmOpsDb db, IReadOnlyList<LogBatch> batches, CancellationToken ct)
    {
        var with = batches.Where(b => b.Params.Count > 0).ToList();
        if (with.Count == 0)
            return [];
        Guid[] ids = [.. with.Select(b => b.RunId).Distinct()];
        string[] keys = [.. with.SelectMany(b => b.Params.Select(p => p.Key)).Distinct()];
        return await db.Params.AsNoTracking().Where(p => ids.Contains(p.RunId) && keys.Contains(p.Key)).ToDictionaryAsync(p => (p.RunId, p.Key), p => p.Value, ct);
    }

    private static LlmOpsException? Refusal(LogBatch batch, Target? run, Dictionary<(Guid, string), string> stored)
    {
        if (run is null)
            return ChangeRun.NotFound(batch.RunId);
        if (run.IsDeleted)
            return ChangeRun.Deleted(batch.RunId);
        foreach (var (key, value) in batch.Params)
            if (stored.TryGetValue((batch.RunId, key), out var old) && old != value)
                return LlmOpsException.Invalid($"Changing param values is not allowed. Param with key='{key}' was already logged with value='{TrackingKeys.Shown(old)}' for run ID='{TrackingKeys.Text(batch.RunId)}'. Attempted logging new value '{TrackingKeys.Shown(value)}'.");
        return null;
    }

    /// <summary>The last value wins; the tag that clients name a run with is its name.</summary>
    private static async Task TagAsync(LlmOpsDb db, List<LogBatch> batches, Dictionary<Guid, Target> runs, CancellationToken ct)
    {
        var tags = new Dictionary<(Guid Run, string Key), string>();
        foreach (var batch in batches)
            foreach (var (key, value) in batch.Tags)
                tags[(batch.RunId, key)] = value;
        if (tags.Count == 0)
            return;
        Guid[] ids = [.. tags.Keys.Select(t => t.Run).Distinct()];
        string[] keys = [.. tags.Keys.Select(t => t.Key).Distinct()];
        var stored = await db.RunTags.Where(t => ids.Contains(t.RunId) && keys.Contains(t.Key)).ToDictionaryAsync(t => (t.RunId, t.Key), ct);
        foreach (var ((run, key), value) in tags)
        {
            if (stored.TryGetValue((run, key), out var tag))
                tag.Value = value;
            else
                db.RunTags.Add(new RunTag { RunId = run, ExperimentId = runs[run].ExperimentId, StartedAt = runs[run].StartedAt, Key = key, Value = value });
            if (key == RunNameTag && value.Length > 0)
                await db.Runs.Where(r => r.Id == run).ExecuteUpdateAsync(s => s.SetProperty(r => r.Name, value), ct);
        }
    }

    /// <summary>Numbers that belong to a logged model, too: the newest of each, by run and data.</summary>
    private static async Task AddToModelsAsync(LlmOpsDb db, List<LogBatch> batches, CancellationToken ct)
    {
        var measured = batches.SelectMany(b => b.Metrics.Where(m => m.ModelId is not null).Select(m => (b.RunId, Metric: m))).ToList();
        if (measured.Count == 0)
            return;
        Guid[] ids = [.. measured.Select(m => m.Metric.ModelId!.Value).Distinct()];
        var known = (await db.LoggedModels.Where(m => ids.Contains(m.Id)).Select(m => m.Id).ToListAsync(ct)).ToHashSet();
        var stored = await db.LoggedModelMetrics.Where(m => ids.Contains(m.ModelId)).ToDictionaryAsync(m => (m.ModelId, m.RunId, m.Key, m.DatasetName, m.DatasetDigest), ct);
        foreach (var (run, m) in measured.Where(m => known.Contains(m.Metric.ModelId!.Value)))
        {
            var key = (m.ModelId!.Value, run, m.Key, m.DatasetName ?? "", m.DatasetDigest ?? "");
            var (value, nan) = double.IsNaN(m.Value) ? (0, true) : (m.Value, false);
            if (!stored.TryGetValue(key, out var row))
                db.LoggedModelMetrics.Add(stored[key] = new LoggedModelMetric { ModelId = key.Value, RunId = run, Key = m.Key, DatasetName = key.Item4, DatasetDigest = key.Item5, Value = value, IsNan = nan, Step = m.Step, At = m.At });
            else if ((row.At, row.Step, row.Value).CompareTo((m.At, m.Step, value)) < 0)
                (row.Value, row.IsNan, row.Step, row.At) = (value, nan, m.Step, m.At);
        }
        await db.SaveChangesAsync(ct);
    }
}

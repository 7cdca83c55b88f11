using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>A run as a client of the MLflow API sees it.</summary>
public sealed record LoggedRun(Guid Id, Guid ExperimentId, string Name, string User, RunState State, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, bool IsDeleted, string? ArtifactLocation)
{
    public IReadOnlyList<LatestMetric> Metrics { get; init; } = [];
    public IReadOnlyList<KeyValue> Params { get; init; } = [];
    public IReadOnlyList<KeyValue> Tags { get; init; } = [];
    public IReadOnlyList<RunInput> Inputs { get; init; } = [];
    public IReadOnlyList<RunModel> Models { get; init; } = [];
}

public sealed record RunInput(LoggedDataset Dataset, IReadOnlyList<KeyValue> Tags);

/// <summary>Reads whole runs, whatever asked for them.</summary>
internal static class LoggedRuns
{
    // SQLite takes 32,766 parameters; plans are shared when the number of them is always the same.
    private const int AtOnce = 500;

    /// <summary>In the order of the ids; what is not there is left out.</summary>
    public static async Task<IReadOnlyList<LoggedRun>> LoadAsync(LlmOpsDb db, IReadOnlyList<Guid> ids, CancellationToken ct)
    {
        var found = new List<LoggedRun>(ids.Count);
        foreach (var part in ids.Chunk(AtOnce))
        {
            var runs = await db.Runs.AsNoTracking().Where(r => part.Contains(r.Id))
                .Select(r => new LoggedRun(r.Id, r.ExperimentId, r.Name, r.CreatedBy, r.State, r.StartedAt, r.EndedAt, r.DeletedAt != null, r.Experiment!.ArtifactLocation)).ToDictionaryAsync(r => r.Id, ct);
            var metrics = (await db.LatestMetrics.AsNoTracking().Where(m => part.Contains(m.RunId)).ToListAsync(ct)).ToLookup(m => m.RunId);
            var parameters = (await db.Params.AsNoTracking().Where(p => part.Contains(p.RunId)).Select(p => new { p.RunId, p.Key, p.Value }).ToListAsync(ct)).ToLookup(p => p.RunId);
            var tags = (await db.RunTags.AsNoTracking().Where(t => part.Contains(t.RunId)).Select(t => new { t.RunId, t.Key, t.Value }).ToListAsync(ct)).ToLookup(t => t.RunId);
            var data = (await db.RunDatasets.AsNoTracking().Include(d => d.Dataset).Where(d => part.Contains(d.RunId)).ToListAsync(ct)).ToLookup(d => d.RunId);
            var models = (await db.RunModels.AsNoTracking().Where(m => part.Contains(m.RunId)).ToListAsync(ct)).ToLookup(m => m.RunId);
            found.AddRange(part.Where(runs.ContainsKey).Select(id => runs[id] with
            {
                Metrics = [.. metrics[id].OrderBy(m => m.Key, StringComparer.Ordinal)],
                Params = [.. parameters[id].OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => new KeyValue(p.Key, p.Value))],
                Tags = [.. tags[id].OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => new KeyValue(t.Key, t.Value))],
                Inputs = [.. data[id].Select(d => new RunInput(d.Dataset!, Json.Read<List<KeyValue>>(d.TagsJson)))],
                Models = [.. models[id].OrderBy(m => m.Step).ThenBy(m => m.ModelId)],
            }));
        }
        return found;
    }

    public static async Task<LoggedRun> GetAsync(LlmOpsDb db, Guid id, CancellationToken ct) =>
        (await LoadAsync(db, [id], ct)).SingleOrDefault() ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Run with id={TrackingKeys.Text(id)} not found");
}

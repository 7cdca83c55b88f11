using System.Data.Common;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking.Search;
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
    private const int AtOnce = 1000;

    /// <summary>In the order of the ids; what is not there is left out. Without the change tracker and its model: a page of a thousand runs has ten thousand rows.</summary>
    public static async Task<IReadOnlyList<LoggedRun>> LoadAsync(LlmOpsDb db, IReadOnlyList<Guid> ids, CancellationToken ct)
    {
        var found = new List<LoggedRun>(ids.Count);
        await db.Database.OpenConnectionAsync(ct);      // once, and not for each table; the context closes it
        foreach (var part in ids.Chunk(AtOnce))
        {
            Task<List<T>> ReadAsync<T>(string text, string column, Func<DbDataReader, T> row)
            {
                var sql = new SqlText(!db.Database.IsSqlite());
                return sql.ReadAsync(db, $"{text} WHERE {sql.OneOf(column, part)}", row, ct);
            }
            var runs = (await ReadAsync("SELECT r.\"Id\", r.\"ExperimentId\", r.\"Name\", r.\"CreatedBy\", r.\"State\", r.\"StartedAt\", r.\"EndedAt\", r.\"DeletedAt\", e.\"ArtifactLocation\" FROM runs r JOIN experiments e ON e.\"Id\" = r.\"ExperimentId\"", "r.\"Id\"",
                r => new LoggedRun(r.GetGuid(0), r.GetGuid(1), r.GetString(2), r.GetString(3), Enum.Parse<RunState>(r.GetString(4)), Time(r.GetInt64(5)), r.IsDBNull(6) ? null : Time(r.GetInt64(6)), !r.IsDBNull(7), r.IsDBNull(8) ? null : r.GetString(8)))).ToDictionary(r => r.Id);
            var metrics = (await ReadAsync("SELECT \"RunId\", \"Key\", \"ExperimentId\", \"Value\", \"IsNan\", \"Step\", \"At\" FROM latest_metrics", "\"RunId\"",
                r => new LatestMetric { RunId = r.GetGuid(0), Key = r.GetString(1), ExperimentId = r.GetGuid(2), Value = r.GetDouble(3), IsNan = r.GetBoolean(4), Step = r.GetInt64(5), At = Time(r.GetInt64(6)) })).ToLookup(m => m.RunId);
            var parameters = (await ReadAsync("SELECT \"RunId\", \"Key\", \"Value\" FROM params", "\"RunId\"", Pair)).ToLookup(p => p.RunId, p => p.Pair);
            var tags = (await ReadAsync("SELECT \"RunId\", \"Key\", \"Value\" FROM run_tags", "\"RunId\"", Pair)).ToLookup(p => p.RunId, p => p.Pair);
            var data = (await ReadAsync("SELECT d.\"RunId\", d.\"TagsJson\", s.\"Name\", s.\"Digest\", s.\"SourceType\", s.\"Source\", s.\"Schema\", s.\"Profile\" FROM run_datasets d JOIN logged_datasets s ON s.\"Id\" = d.\"DatasetId\"", "d.\"RunId\"",
                r => (RunId: r.GetGuid(0), Input: new RunInput(new LoggedDataset
                {
                    Name = r.GetString(2), Digest = r.GetString(3), SourceType = r.GetString(4), Source = r.GetString(5), Schema = r.IsDBNull(6) ? null : r.GetString(6), Profile = r.IsDBNull(7) ? null : r.GetString(7),
                }, Json.Read<List<KeyValue>>(r.GetString(1)))))).ToLookup(d => d.RunId, d => d.Input);
            var models = (await ReadAsync("SELECT \"RunId\", \"ModelId\", \"IsOutput\", \"Step\" FROM run_models", "\"RunId\"", r => new RunModel { RunId = r.GetGuid(0), ModelId = r.GetGuid(1), IsOutput = r.GetBoolean(2), Step = r.GetInt64(3) })).ToLookup(m => m.RunId);
            found.AddRange(part.Where(runs.ContainsKey).Select(id => runs[id] with
            {
                Metrics = [.. metrics[id].OrderBy(m => m.Key, StringComparer.Ordinal)],
                Params = [.. parameters[id].OrderBy(p => p.Key, StringComparer.Ordinal)],
                Tags = [.. tags[id].OrderBy(t => t.Key, StringComparer.Ordinal)],
                Inputs = [.. data[id].OrderBy(d => d.Dataset.Name, StringComparer.Ordinal)],
                Models = [.. models[id].OrderBy(m => m.Step).ThenBy(m => m.ModelId)],
            }));
        }
        return found;
    }

    private static (Guid RunId, KeyValue Pair) Pair(DbDataReader reader) => (reader.GetGuid(0), new(reader.GetString(1), reader.GetString(2)));

    private static DateTimeOffset Time(long ms) => DateTimeOffset.FromUnixTimeMilliseconds(ms);

    public static async Task<LoggedRun> GetAsync(LlmOpsDb db, Guid id, CancellationToken ct) =>
        (await LoadAsync(db, [id], ct)).SingleOrDefault() ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Run with id={TrackingKeys.Text(id)} not found");
}

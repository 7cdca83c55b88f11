using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <param name="Key">Hash of the row's content: the same in every run and every suite, so that runs pair on the rows they share.</param>
public sealed record SuiteRow(string Key, JsonElement Fields, string? Slice, string? Cluster);

/// <summary>The rows of a task and its solved examples.</summary>
public sealed record SuiteRows(IReadOnlyList<SuiteRow> Rows, IReadOnlyList<JsonElement> Shots)
{
    public static async Task<SuiteRows> LoadAsync(LlmOpsDb db, DatasetFiles files, SuiteTask task, CancellationToken ct)
    {
        if (task.Dataset is null)
            return new(Pick(task, task.Rows.Select(Element)), [.. task.Shots.Take(task.FewShot).Select(Element)]);
        var version = await db.DatasetVersions.GetAsync(task.Dataset, ct);
        var rows = task.Split == "train" ? await files.TrainAsync<JsonElement>(version, ct) : await files.HeldOutAsync<JsonElement>(version, ct);
        var shots = task.FewShot == 0 ? [] : task.Shots.Count > 0 ? task.Shots.Take(task.FewShot).Select(Element)
            : Pick(task with { Limit = task.FewShot }, await files.TrainAsync<JsonElement>(version, ct)).Select(r => r.Fields);
        return new(Pick(task, rows), [.. shots]);
    }

    private static List<SuiteRow> Pick(SuiteTask task, IEnumerable<JsonElement> rows) =>
        [.. rows.Select(r => new SuiteRow(RowKeys.Of(r), r, Field(r, task.Slice), Field(r, task.Cluster)))
            .DistinctBy(r => r.Key).OrderBy(r => r.Key, StringComparer.Ordinal).Take(task.Limit == 0 ? int.MaxValue : task.Limit)];

    private static string? Field(JsonElement row, string name) => name.Length > 0 && row.ValueKind == JsonValueKind.Object && row.TryGetProperty(name, out var value) ? value.ToString() : null;

    private static JsonElement Element(JsonObject row) => JsonSerializer.SerializeToElement(row);
}

using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Formats;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;

namespace LlmOps.Worker;

/// <summary>Reads the rows of a frozen dataset version.</summary>
public sealed class DatasetFiles(ArtifactStore artifacts)
{
    public Task<List<T>> TrainAsync<T>(DatasetVersion version, CancellationToken ct) => ReadAsync<T>(version, ImportDataset.TrainFile, ct);

    public Task<List<T>> HeldOutAsync<T>(DatasetVersion version, CancellationToken ct) => ReadAsync<T>(version, ImportDataset.HeldOutFile, ct);

    /// <summary>Rows to fine-tune on, of any format; read from the file when they are asked for. The caller disposes them.</summary>
    public async Task<JsonlRows<FineTuningExample>> FineTuningAsync(DatasetVersion version, bool heldOut, CancellationToken ct) =>
        Jsonl.Open(Path.Combine(await artifacts.FolderAsync(version.ArtifactDigest, ct), heldOut ? ImportDataset.HeldOutFile : ImportDataset.TrainFile), RowReader.FineTuning);

    private async Task<List<T>> ReadAsync<T>(DatasetVersion version, string file, CancellationToken ct)
    {
        var path = Path.Combine(await artifacts.FolderAsync(version.ArtifactDigest, ct), file);
        var rows = new List<T>();
        await foreach (var line in File.ReadLinesAsync(path, ct))
            rows.Add(JsonSerializer.Deserialize<T>(line, Json.Options)!);
        return rows;
    }
}

using System.Text.Json;
using LlmOps.Engines.SmallModels;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;

namespace LlmOps.Worker;

/// <summary>A sample under the key that every run knows it by.</summary>
public sealed record KeyedSample(string Key, Sample Sample);

/// <summary>Rows of pictures and tables as small models take them.</summary>
public static class SampleRows
{
    public static async Task<List<Sample>> TrainSamplesAsync(this DatasetFiles files, DatasetVersion version, CancellationToken ct) =>
        [.. Parsed(version, await files.TrainAsync<JsonElement>(version, ct)).Select(r => r.Sample)];

    public static async Task<List<Sample>> HeldOutSamplesAsync(this DatasetFiles files, DatasetVersion version, CancellationToken ct) =>
        [.. Parsed(version, await files.HeldOutAsync<JsonElement>(version, ct)).Select(r => r.Sample)];

    /// <summary>The held-out rows with the smallest keys, the same ones every time.</summary>
    public static async Task<List<KeyedSample>> MeasuredSamplesAsync(this DatasetFiles files, DatasetVersion version, int most, CancellationToken ct) =>
        [.. Parsed(version, await files.HeldOutAsync<JsonElement>(version, ct)).DistinctBy(r => r.Key).OrderBy(r => r.Key, StringComparer.Ordinal).Take(most)];

    private static IEnumerable<KeyedSample> Parsed(DatasetVersion version, IEnumerable<JsonElement> rows)
    {
        foreach (var row in rows)
        {
            Sample sample;
            try
            {
                sample = Sample.Parse(row);
            }
            catch (ArgumentException e)
            {
                throw LlmOpsException.Invalid($"{version.KeyText()} holds no pictures and no rows of a table that can be used: {e.Message} Name a dataset of kind Image or Table.");
            }
            yield return new(RowKeys.OfSample(row), sample);
        }
    }
}

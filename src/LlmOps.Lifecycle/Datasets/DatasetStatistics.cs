using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmOps.Engines.Text.Formats;

namespace LlmOps.Lifecycle.Datasets;

/// <summary>Lengths in characters of each column, and counts of the values of columns that hold kinds.</summary>
public sealed record DatasetStatistics(IReadOnlyDictionary<string, ColumnLengths> Columns, IReadOnlyDictionary<string, int> RejectedKinds, int Headwords)
{
    /// <summary>Rows that came in another format than that of their kind, by format; null when there was none.</summary>
    public IReadOnlyDictionary<string, int>? Formats { get; init; }

    /// <summary>Marked answers by their mark; null for rows without marks.</summary>
    public IReadOnlyDictionary<string, int>? Labels { get; init; }

    public static DatasetStatistics Of(IEnumerable<CheckedRow> rows, DatasetKind kind)
    {
        var count = new RowCount(kind);
        foreach (var row in rows)
            count.Add(row);
        return count.Statistics();
    }
}

/// <summary>Counts rows one after the other and keeps none of them: a length per column, and a digest of each headword.</summary>
internal sealed class RowCount(DatasetKind kind)
{
    private readonly Dictionary<string, List<int>> lengths = DatasetRows.TextColumns(kind).ToDictionary(c => c, _ => new List<int>());
    private readonly SortedDictionary<string, int> labels = [], kinds = [];
    private readonly SortedDictionary<RowFormat, int> formats = [];
    // Digests: without a headword of its own a row's is its whole text.
    private readonly HashSet<UInt128> headwords = [];

    public void Add(CheckedRow row)
    {
        using var document = JsonDocument.Parse(row.Json);
        foreach (var (column, values) in lengths)
            if (document.RootElement.TryGetProperty(column, out var text))
                values.Add(text.ValueKind == JsonValueKind.String ? text.GetString()!.Length : text.GetRawText().Length);
        if (document.RootElement.TryGetProperty("rejected_kind", out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { } name)
            kinds[name] = kinds.GetValueOrDefault(name) + 1;
        if (kind == DatasetKind.Unpaired)
            labels[document.RootElement.GetProperty("label").GetRawText()] = labels.GetValueOrDefault(document.RootElement.GetProperty("label").GetRawText()) + 1;
        if (row.Format is { } format)
            formats[format] = formats.GetValueOrDefault(format) + 1;
        headwords.Add(BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(row.Headword.ToLowerInvariant()))));
    }

    public DatasetStatistics Statistics() => new(lengths.ToDictionary(l => l.Key, l => ColumnLengths.Of(l.Value)), kinds, headwords.Count)
    {
        Formats = formats.Count > 0 ? formats.ToDictionary(f => f.Key.ToString(), f => f.Value) : null,
        Labels = labels.Count > 0 ? labels : null,
    };
}

public sealed record ColumnLengths(int Min, double Mean, int Median, int P95, int Max)
{
    public static ColumnLengths Of(List<int> values)
    {
        if (values.Count == 0)
            return new(0, 0, 0, 0, 0);
        values.Sort();
        return new(values[0], Math.Round(values.Average(), 1), values[values.Count / 2], values[(int)(values.Count * 0.95)], values[^1]);
    }
}

using System.Text.Json;

namespace LlmOps.Lifecycle.Datasets;

/// <summary>Lengths in characters of each column, and counts of the values of columns that hold kinds.</summary>
public sealed record DatasetStatistics(IReadOnlyDictionary<string, ColumnLengths> Columns, IReadOnlyDictionary<string, int> RejectedKinds, int Headwords)
{
    /// <summary>Rows that came in another format than that of their kind, by format; null when there was none.</summary>
    public IReadOnlyDictionary<string, int>? Formats { get; init; }

    /// <summary>Marked answers by their mark; null for rows without marks.</summary>
    public IReadOnlyDictionary<string, int>? Labels { get; init; }

    public static DatasetStatistics Of(IReadOnlyCollection<CheckedRow> rows, DatasetKind kind)
    {
        var lengths = DatasetRows.TextColumns(kind).ToDictionary(c => c, _ => new List<int>());
        var labels = new SortedDictionary<string, int>();
        var kinds = new SortedDictionary<string, int>();
        foreach (var row in rows)
        {
            using var document = JsonDocument.Parse(row.Json);
            foreach (var (column, values) in lengths)
                if (document.RootElement.TryGetProperty(column, out var text))
                    values.Add(text.ValueKind == JsonValueKind.String ? text.GetString()!.Length : text.GetRawText().Length);
            if (document.RootElement.TryGetProperty("rejected_kind", out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { } name)
                kinds[name] = kinds.GetValueOrDefault(name) + 1;
            if (kind == DatasetKind.Unpaired)
                labels[document.RootElement.GetProperty("label").GetRawText()] = labels.GetValueOrDefault(document.RootElement.GetProperty("label").GetRawText()) + 1;
        }
        return new(lengths.ToDictionary(l => l.Key, l => ColumnLengths.Of(l.Value)), kinds, rows.Select(r => r.Headword.ToLowerInvariant()).Distinct().Count())
        {
            Formats = rows.Where(r => r.Format is not null).GroupBy(r => r.Format!.Value).OrderBy(g => g.Key).ToDictionary(g => g.Key.ToString(), g => g.Count()) is { Count: > 0 } formats ? formats : null,
            Labels = labels.Count > 0 ? labels : null,
        };
    }
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

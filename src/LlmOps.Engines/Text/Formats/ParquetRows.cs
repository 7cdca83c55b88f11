using System.Text.Encodings.Web;
using System.Text.Json;
using Parquet;
using Parquet.Schema;
using Parquet.Serialization;

namespace LlmOps.Engines.Text.Formats;

/// <summary>Rows of a Parquet file as JSON lines. Lists and structures become lists and objects, so that a conversation arrives as one.</summary>
public static class ParquetRows
{
    private const int RowsInGroup = 10_000;
    private static readonly JsonSerializerOptions Format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether a file begins as Parquet files do.</summary>
    public static bool IsParquet(ReadOnlySpan<byte> beginning) => beginning.StartsWith("PAR1"u8);

    /// <summary>Writes the rows in their order, one object on each line. One row group is in memory at a time.</summary>
    /// <param name="parquet">The file; must be seekable.</param>
    /// <param name="jsonl">Receives UTF-8.</param>
    /// <param name="ct">Looked at between row groups.</param>
    /// <returns>Number of rows.</returns>
    /// <exception cref="InvalidDatasetException">The file is damaged or encrypted, or uses what is not supported.</exception>
    public static async Task<long> WriteJsonlAsync(Stream parquet, Stream jsonl, CancellationToken ct)
    {
        long rows = 0;
        try
        {
            int groups;
            await using (var reader = await ParquetReader.CreateAsync(parquet, leaveStreamOpen: true, cancellationToken: ct))
                groups = reader.RowGroupCount;
            for (var group = 0; group < groups; group++)
            {
                ct.ThrowIfCancellationRequested();
                parquet.Position = 0;
                var read = await ParquetSerializer.DeserializeUntypedAsync(parquet, null, group, ct);
                foreach (var row in read.Data)
                {
                    await JsonSerializer.SerializeAsync(jsonl, row, Format, ct);
                    jsonl.WriteByte((byte)'\n');
                    rows++;
                }
            }
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException or InvalidDatasetException))
        {
            // The library throws what its decoders happen to throw; all of it means that the file cannot be read.
            throw new InvalidDatasetException($"the Parquet file cannot be read after {rows} rows: {e.Message}", checked((int)rows + 1));
        }
        return rows;
    }

    /// <summary>Writes JSON lines as Parquet, in groups of 10,000 rows: the columns of the first row, which hold text, numbers (as doubles), truth values or lists of numbers.</summary>
    /// <param name="jsonl">UTF-8, one object on each line.</param>
    /// <param name="parquet">Receives the file; must be seekable.</param>
    /// <param name="ct">Looked at between rows.</param>
    /// <returns>Number of rows.</returns>
    /// <exception cref="InvalidDatasetException">There is no row, a column holds something else, or a row has a column that the first one lacks.</exception>
    public static async Task<long> FromJsonlAsync(Stream jsonl, Stream parquet, CancellationToken ct)
    {
        using var lines = new StreamReader(jsonl, leaveOpen: true);
        ParquetSchema? schema = null;
        var (group, rows, written) = (new List<IDictionary<string, object?>>(), 0, false);
        while (await lines.ReadLineAsync(ct) is { } line)
        {
            using var document = JsonDocument.Parse(line);
            schema ??= new ParquetSchema([.. document.RootElement.EnumerateObject().Select(p => Column(p.Name, p.Value))]);
            rows++;
            var row = new Dictionary<string, object?>(StringComparer.Ordinal);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                var field = schema.Fields.FirstOrDefault(f => f.Name == property.Name) ?? throw new InvalidDatasetException($"row {rows} has the column '{property.Name}', which the first row lacks.", rows);
                row[property.Name] = Value(field, property.Value, rows);
            }
            group.Add(row);
            if (group.Count == RowsInGroup)
                await FlushAsync();
        }
        if (group.Count > 0)
            await FlushAsync();
        return rows > 0 ? rows : throw new InvalidDatasetException("there is no row to write.", 1);

        async Task FlushAsync()
        {
            await ParquetSerializer.SerializeUntypedAsync(group, schema!, parquet, new ParquetOptions { Append = written }, cancellationToken: ct);
            (written, group) = (true, []);
        }
    }

    private static Field Column(string name, JsonElement first) => first.ValueKind switch
    {
        JsonValueKind.String => new DataField<string>(name),
        JsonValueKind.Number => new DataField<double?>(name),
        JsonValueKind.True or JsonValueKind.False => new DataField<bool?>(name),
        JsonValueKind.Array when first.EnumerateArray().All(v => v.ValueKind == JsonValueKind.Number) => new ListField(name, new DataField<double?>("element")),
        _ => throw new InvalidDatasetException($"the column '{name}' holds objects. Write the rows as JSONL.", 1),
    };

    private static object? Value(Field field, JsonElement value, int row) => (field, value.ValueKind) switch
    {
        (_, JsonValueKind.Null) => null,
        (DataField<string>, JsonValueKind.String) => value.GetString(),
        (DataField<double?>, JsonValueKind.Number) => value.GetDouble(),
        (DataField<bool?>, JsonValueKind.True or JsonValueKind.False) => value.GetBoolean(),
        (ListField, JsonValueKind.Array) => value.EnumerateArray().Select(v => (double?)v.GetDouble()).ToList(),
        _ => throw new InvalidDatasetException($"row {row}'s '{field.Name}' is of another type than the first row's. Write the rows as JSONL.", row),
    };
}

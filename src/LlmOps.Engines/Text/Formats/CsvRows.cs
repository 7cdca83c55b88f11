using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using nietras.SeparatedValues;

namespace LlmOps.Engines.Text.Formats;

/// <summary>Rows of a CSV file (RFC 4180: quoted fields hold commas, quotes and line breaks) as JSON lines, and back.</summary>
public static class CsvRows
{
    private static readonly JsonSerializerOptions Format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Whether a file's first line is a header of these columns; JSON lines begin with a brace and never are.</summary>
    /// <param name="beginning">UTF-8; what stands after its first line break is not looked at.</param>
    /// <param name="columns">One of them has to be there.</param>
    public static bool HasHeader(ReadOnlySpan<byte> beginning, IReadOnlyCollection<string> columns)
    {
        if (beginning.StartsWith("\uFEFF"u8))
            beginning = beginning[3..];
        var end = beginning.IndexOf((byte)'\n');
        var line = Encoding.UTF8.GetString(end < 0 ? beginning : beginning[..end]).Trim();
        return line.Length > 0 && line[0] is not ('{' or '[') && line.Split(',').Any(c => columns.Contains(c.Trim().Trim('"'), StringComparer.Ordinal));
    }

    /// <summary>Writes each row as an object of strings. A field that is a JSON list, object, number or truth value in the columns named is written as that.</summary>
    /// <param name="csv">UTF-8, with a header.</param>
    /// <param name="jsonl">Receives UTF-8.</param>
    /// <param name="values">Columns whose fields are JSON; the others are text, whatever they look like.</param>
    /// <param name="ct">Looked at between rows.</param>
    /// <returns>Number of rows.</returns>
    /// <exception cref="InvalidDatasetException">The file is no CSV: a quote that is never closed, a row with more or fewer fields than the header, bytes that are not UTF-8.</exception>
    public static async Task<long> WriteJsonlAsync(Stream csv, Stream jsonl, IReadOnlyCollection<string> values, CancellationToken ct)
    {
        long rows = 0;
        try
        {
            using var text = new StreamReader(csv, Utf8, detectEncodingFromByteOrderMarks: true, 1 << 16, leaveOpen: true);
            using var reader = await Sep.New(',').Reader(o => o with { Unescape = true }).FromAsync(text, ct);
            var names = reader.Header.ColNames;
            var fields = new string[names.Count];
            while (await reader.MoveNextAsync(ct))
            {
                for (var i = 0; i < fields.Length; i++)
                    fields[i] = reader.Current[i].ToString();
                await using (var json = new Utf8JsonWriter(jsonl, new JsonWriterOptions { Encoder = Format.Encoder }))
                    Write(json, names, fields, values);
                jsonl.WriteByte((byte)'\n');
                rows++;
            }
        }
        catch (Exception e) when (e is InvalidDataException or DecoderFallbackException or ArgumentException or NotSupportedException)
        {
            throw new InvalidDatasetException($"the CSV file cannot be read after {rows} rows: {e.Message.TrimEnd('.')}.", checked((int)rows + 1));
        }
        return rows;
    }

    /// <summary>Writes JSON lines as CSV: the columns of the first row, text as it is, anything else as JSON.</summary>
    /// <param name="jsonl">UTF-8, one object on each line.</param>
    /// <param name="csv">Receives UTF-8 with a header.</param>
    /// <param name="ct">Looked at between rows.</param>
    /// <returns>Number of rows.</returns>
    /// <exception cref="InvalidDatasetException">A row has a column that the first one lacks: CSV has no place for it.</exception>
    public static async Task<long> FromJsonlAsync(Stream jsonl, Stream csv, CancellationToken ct)
    {
        using var lines = new StreamReader(jsonl, Utf8, false, 1 << 16, leaveOpen: true);
        await using var text = new StreamWriter(csv, Utf8, 1 << 16, leaveOpen: true);
        await using var writer = Sep.New(',').Writer(o => o with { Escape = true, ColNotSetOption = SepColNotSetOption.Empty }).To(text, leaveOpen: true);
        string[]? columns = null;
        var rows = 0;
        while (await lines.ReadLineAsync(ct) is { } line)
        {
            using var document = JsonDocument.Parse(line);
            columns ??= [.. document.RootElement.EnumerateObject().Select(p => p.Name)];
            rows++;
            await using var row = writer.NewRow(ct);
            foreach (var column in columns)
                row[column].Set("");
            foreach (var property in document.RootElement.EnumerateObject())
                row[Array.IndexOf(columns, property.Name) is >= 0 and var at ? columns[at] : throw new InvalidDatasetException($"row {rows} has the column '{property.Name}', which the first row lacks.", rows)]
                    .Set(property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString()! : property.Value.GetRawText());
        }
        return rows;
    }

    private static void Write(Utf8JsonWriter json, IReadOnlyList<string> names, string[] fields, IReadOnlyCollection<string> values)
    {
        json.WriteStartObject();
        for (var i = 0; i < fields.Length; i++)
        {
            json.WritePropertyName(names[i]);
            if (values.Contains(names[i], StringComparer.Ordinal) && bool.TryParse(fields[i], out var truth))
                json.WriteBooleanValue(truth);      // "True", as spreadsheets and pandas write it
            else if (values.Contains(names[i], StringComparer.Ordinal) && IsJson(fields[i]))
                json.WriteRawValue(fields[i].Replace('\n', ' ').Replace('\r', ' '));     // between its parts only, and a row is a line
            else
                json.WriteStringValue(fields[i]);
        }
        json.WriteEndObject();
    }

    private static bool IsJson(string field)
    {
        try
        {
            using var document = JsonDocument.Parse(field);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}

using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using LlmOps.Engines.SmallModels;
using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Formats;

namespace LlmOps.Lifecycle.Datasets;

public sealed record BadRow(int Line, string Reason, string Text);

/// <summary>A usable row as it is stored. Format names the shape that it came in, when it had to be mapped to the columns of its kind.</summary>
public sealed record CheckedRow(int Line, string Headword, string Json, RowFormat? Format = null);

/// <summary>One row of a file: usable, or set aside with the reason.</summary>
public sealed record ReadRow(CheckedRow? Row, BadRow? Bad);

/// <summary>Checks rows against the columns of their kind. Every refusal names the line and the reason.</summary>
public static class DatasetRows
{
    public const int LongestLine = 1_000_000;
    /// <summary>No character takes more in UTF-8.</summary>
    private const int MostBytes = 4 * LongestLine;
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);
    private static readonly string TooLong = string.Create(CultureInfo.InvariantCulture, $"the row is longer than {LongestLine:N0} characters.");

    public static IReadOnlyList<string> Columns(DatasetKind kind) => kind switch
    {
        DatasetKind.Corpus => ["text"],
        DatasetKind.Instruction => ["prompt", "completion"],
        DatasetKind.Unpaired => ["prompt", "completion", "label"],
        DatasetKind.Image => ["pixels", "label"],
        DatasetKind.Table => ["features", "target"],
        _ => ["prompt", "chosen", "rejected"],
    };

    /// <summary>The columns that hold text.</summary>
    public static IReadOnlyList<string> TextColumns(DatasetKind kind) => kind == DatasetKind.Unpaired ? ["prompt", "completion"] : Columns(kind);

    /// <summary>
    /// Reads JSONL, Parquet or CSV row by row; blank lines are passed over. Asynchronously: uploads from a browser cannot be read in any other way.
    /// </summary>
    public static async IAsyncEnumerable<ReadRow> StreamAsync(Stream file, DatasetKind kind, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await using var source = await RowStream.OpenAsync(file, kind, ct);
        var line = 0;
        await foreach (var bytes in LinesAsync(source.Rows, ct))
        {
            line++;
            if (Checked(bytes.Span, line, kind) is { } read)
                yield return read;
        }
    }

    /// <summary>Null for a blank line.</summary>
    private static ReadRow? Checked(ReadOnlySpan<byte> bytes, int line, DatasetKind kind)
    {
        if (bytes.Length > MostBytes)
            return new(null, new(line, TooLong, ""));
        string text;
        try
        {
            text = Utf8.GetString(bytes).Trim('\uFEFF', '\r');
        }
        catch (DecoderFallbackException)
        {
            return new(null, new(line, "the bytes are not valid UTF-8. Save the file as UTF-8.", ""));
        }
        if (string.IsNullOrWhiteSpace(text))
            return null;
        return Problem(text, line, kind, out var row) is { } reason ? new(null, new(line, reason, text.Length > 200 ? text[..200] + "…" : text)) : new(row, null);
    }

    /// <summary>
    /// Lines as bytes, so that broken UTF-8 spoils its own line only and the line's number is exact: a text reader decodes ahead. What is
    /// beyond the longest line is dropped while it is read. The memory is good until the next line.
    /// </summary>
    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> LinesAsync(Stream stream, [EnumeratorCancellation] CancellationToken ct)
    {
        var buffer = new byte[1 << 16];
        using var line = new MemoryStream();
        int read;
        while ((read = await stream.ReadAsync(buffer, ct)) > 0)
        {
            var from = 0;
            while (Array.IndexOf(buffer, (byte)'\n', from, read - from) is >= 0 and var end)
            {
                Append(from, end);
                yield return line.GetBuffer().AsMemory(0, (int)line.Length);
                line.SetLength(0);
                from = end + 1;
            }
            Append(from, read);
        }
        if (line.Length > 0)
            yield return line.GetBuffer().AsMemory(0, (int)line.Length);

        void Append(int from, int end)
        {
            if (line.Length <= MostBytes)
                line.Write(buffer, from, end - from);
        }
    }

    private static string? Problem(string text, int line, DatasetKind kind, out CheckedRow? row)
    {
        row = null;
        if (text.Length > LongestLine)
            return TooLong;
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(text);
        }
        catch (JsonException e)
        {
            return $"this is not JSON: {e.Message.Split(" LineNumber")[0].TrimEnd('.')} at byte {e.BytePositionInLine}.";
        }
        using (document)
        {
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return $"a row is a JSON object, this is {Kind(root.ValueKind)}.";
            if (root.EnumerateObject().FirstOrDefault(p => p.Value.ValueKind == JsonValueKind.String && !IsText(p.Value)) is { Value.ValueKind: JsonValueKind.String } broken)
                return $"'{broken.Name}' holds half of a surrogate pair, which is no text.";
            if (kind is DatasetKind.Image or DatasetKind.Table)
                return SampleProblem(root, text, line, kind, out row);
            try
            {
                if (Mapped(new JsonlRow(line, root), kind) is not { } json)
                    return Stored(root, text, line, kind, null, out row);
                using var mapped = JsonDocument.Parse(json);
                return Stored(mapped.RootElement, json, line, kind, RowFormats.Detect(root), out row);
            }
            catch (InvalidDatasetException e)
            {
                return e.Reason;
            }
        }
    }

    /// <summary>Read once as training and evaluation will read it; the label or target may be missing.</summary>
    private static string? SampleProblem(JsonElement root, string json, int line, DatasetKind kind, out CheckedRow? row)
    {
        row = null;
        var column = Columns(kind)[0];
        var headword = root.TryGetProperty(column, out var value) ? value.ValueKind == JsonValueKind.String ? value.GetString() : value.GetRawText() : null;
        if (headword is null)
            return $"the column '{column}' is missing. A row of {(kind == DatasetKind.Image ? "pictures" : "a table")} has {string.Join(", ", Columns(kind))}.";
        try
        {
            Sample.Parse(root);
            row = new(line, headword, json);
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }

    /// <summary>The row with the columns of its kind when it came in another format, null when it has them.</summary>
    private static string? Mapped(JsonlRow row, DatasetKind kind)
    {
        bool IsText(string column) => row.Row.TryGetProperty(column, out var value) && value.ValueKind == JsonValueKind.String;
        bool IsList(string column) => row.Row.TryGetProperty(column, out var value) && value.ValueKind is JsonValueKind.Array or JsonValueKind.Object;
        var format = RowFormats.Detect(row.Row);
        switch (kind)
        {
            case DatasetKind.Instruction when format is RowFormat.Messages && IsText("prompt") && IsText("completion"):
                _ = RowReader.FineTuning(row);
                return null;
            case DatasetKind.Instruction when format is RowFormat.Messages or RowFormat.Alpaca or RowFormat.ShareGpt or RowFormat.Text
                || IsList("prompt") || row.Row.TryGetProperty("label", out var label) && label.ValueKind == JsonValueKind.False:
                return CanonicalRow.Instruction(row);
            case DatasetKind.Preference when format is RowFormat.ImplicitPreference or RowFormat.Alpaca or RowFormat.ShareGpt || IsList("prompt") || IsList("chosen") && IsList("rejected"):
                return CanonicalRow.Preference(row);
            case DatasetKind.Unpaired when format is RowFormat.Alpaca or RowFormat.ShareGpt || IsList("prompt") || IsList("completion") || row.Row.TryGetProperty("label", out var mark) && mark.ValueKind == JsonValueKind.Number:
                return CanonicalRow.Unpaired(row);
            default:
                return null;
        }
    }

    private static string? Stored(JsonElement root, string json, int line, DatasetKind kind, RowFormat? format, out CheckedRow? row)
    {
        row = null;
        foreach (var column in Columns(kind))
        {
            if (!root.TryGetProperty(column, out var value))
                return $"the column '{column}' is missing. {Article(kind)} row has {string.Join(", ", Columns(kind))}.";
            if (!TextColumns(kind).Contains(column))
            {
                if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
                    return $"'{column}' is {Kind(value.ValueKind)}, true or false is expected.";
                continue;
            }
            if (value.ValueKind != JsonValueKind.String)
                return $"'{column}' is {Kind(value.ValueKind)}, text is expected.";
            if (string.IsNullOrWhiteSpace(value.GetString()))
                return $"'{column}' is empty.";
        }
        if (kind == DatasetKind.Preference && root.GetProperty("chosen").GetString() == root.GetProperty("rejected").GetString())
            return "'chosen' and 'rejected' are the same: there is nothing to prefer.";
        // Rows of one headword stay together; without one, the row's own first column decides its split.
        var headword = root.TryGetProperty("headword", out var word) && word.ValueKind == JsonValueKind.String && !string.IsNullOrWhiteSpace(word.GetString())
            ? word.GetString()! : root.GetProperty(Columns(kind)[0]).GetString()!;
        row = new(line, headword, json, format);
        return null;
    }

    private static string Article(DatasetKind kind) => kind is DatasetKind.Instruction or DatasetKind.Unpaired ? $"An {kind.ToString().ToLowerInvariant()}" : $"A {kind.ToString().ToLowerInvariant()}";

    /// <summary>JSON can escape half a surrogate pair ("\ud800"); such a value cannot be read as text, let alone trained on.</summary>
    private static bool IsText(JsonElement value)
    {
        try
        {
            return value.GetString() is not null;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static string Kind(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Array => "a list", JsonValueKind.Object => "an object", JsonValueKind.String => "text", JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false", _ => "null",
    };
}

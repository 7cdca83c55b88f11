using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using LlmOps.Engines.SmallModels;

namespace LlmOps.Lifecycle.Datasets;

public sealed record BadRow(int Line, string Reason, string Text);

public sealed record CheckedRow(int Line, string Headword, string Json);

/// <summary>Checks JSONL rows against the columns of their kind. Every refusal names the line and the reason.</summary>
public static class DatasetRows
{
    public const int LongestLine = 1_000_000;
    /// <summary>No character takes more in UTF-8.</summary>
    private const int MostBytes = 4 * LongestLine;
    private static readonly string TooLong = string.Create(CultureInfo.InvariantCulture, $"the row is longer than {LongestLine:N0} characters.");

    public static IReadOnlyList<string> Columns(DatasetKind kind) => kind switch
    {
        DatasetKind.Corpus => ["text"],
        DatasetKind.Instruction => ["prompt", "completion"],
        DatasetKind.Image => ["pixels", "label"],
        DatasetKind.Table => ["features", "target"],
        _ => ["prompt", "chosen", "rejected"],
    };

    /// <summary>Reads asynchronously: uploads from a browser cannot be read in any other way.</summary>
    public static async Task<(List<CheckedRow> Rows, List<BadRow> Bad)> ReadAsync(Stream stream, DatasetKind kind, CancellationToken ct)
    {
        var rows = new List<CheckedRow>();
        var bad = new List<BadRow>();
        var utf8 = new UTF8Encoding(false, throwOnInvalidBytes: true);
        var line = 0;
        await foreach (var bytes in LinesAsync(stream, ct))
        {
            line++;
            string text;
            if (bytes.Length > MostBytes)
            {
                bad.Add(new(line, TooLong, ""));
                continue;
            }
            try
            {
                text = utf8.GetString(bytes.Span).Trim('\uFEFF', '\r');
            }
            catch (DecoderFallbackException)
            {
                bad.Add(new(line, "the bytes are not valid UTF-8. Save the file as UTF-8.", ""));
                continue;
            }
            if (string.IsNullOrWhiteSpace(text))
                continue;
            if (Problem(text, kind, out var headword) is { } reason)
                bad.Add(new(line, reason, text.Length > 200 ? text[..200] + "…" : text));
            else
                rows.Add(new(line, headword!, text));
        }
        return (rows, bad);
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

    private static string? Problem(string text, DatasetKind kind, out string? headword)
    {
        headword = null;
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
                return SampleProblem(root, kind, out headword);
            foreach (var column in Columns(kind))
            {
                if (!root.TryGetProperty(column, out var value))
                    return $"the column '{column}' is missing. A {kind.ToString().ToLowerInvariant()} row has {string.Join(", ", Columns(kind))}.";
                if (value.ValueKind != JsonValueKind.String)
                    return $"'{column}' is {Kind(value.ValueKind)}, text is expected.";
                if (string.IsNullOrWhiteSpace(value.GetString()))
                    return $"'{column}' is empty.";
            }
            if (kind == DatasetKind.Preference && root.GetProperty("chosen").GetString() == root.GetProperty("rejected").GetString())
                return "'chosen' and 'rejected' are the same: there is nothing to prefer.";
            // Rows of one headword stay together; without one, the row's own first column decides its split.
            headword = root.TryGetProperty("headword", out var word) && word.ValueKind == JsonValueKind.String && !string.IsNullOrWhiteSpace(word.GetString())
                ? word.GetString() : root.GetProperty(Columns(kind)[0]).GetString();
            return null;
        }
    }

    /// <summary>Read once as training and evaluation will read it; the label or target may be missing.</summary>
    private static string? SampleProblem(JsonElement root, DatasetKind kind, out string? headword)
    {
        var column = Columns(kind)[0];
        headword = root.TryGetProperty(column, out var value) ? value.ValueKind == JsonValueKind.String ? value.GetString() : value.GetRawText() : null;
        if (headword is null)
            return $"the column '{column}' is missing. A row of {(kind == DatasetKind.Image ? "pictures" : "a table")} has {string.Join(", ", Columns(kind))}.";
        try
        {
            Sample.Parse(root);
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }

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

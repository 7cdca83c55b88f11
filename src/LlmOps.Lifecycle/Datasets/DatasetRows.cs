using System.Text;
using System.Text.Json;

namespace LlmOps.Lifecycle.Datasets;

public sealed record BadRow(int Line, string Reason, string Text);

public sealed record CheckedRow(int Line, string Headword, string Json);

/// <summary>Checks JSONL rows against the columns of their kind. Every refusal names the line and the reason.</summary>
public static class DatasetRows
{
    public const int LongestLine = 1_000_000;

    public static IReadOnlyList<string> Columns(DatasetKind kind) => kind switch
    {
        DatasetKind.Corpus => ["text"],
        DatasetKind.Instruction => ["prompt", "completion"],
        _ => ["prompt", "chosen", "rejected"],
    };

    public static (List<CheckedRow> Rows, List<BadRow> Bad) Read(Stream stream, DatasetKind kind)
    {
        var rows = new List<CheckedRow>();
        var bad = new List<BadRow>();
        using var reader = new StreamReader(stream, new UTF8Encoding(false, throwOnInvalidBytes: true));
        var line = 0;
        while (true)
        {
            string? text;
            try
            {
                text = reader.ReadLine();
            }
            catch (DecoderFallbackException)
            {
                // The decoder cannot say where lines begin after broken bytes, so the rest of the file is not trusted either.
                bad.Add(new(line + 1, "the bytes from here on are not valid UTF-8. Save the file as UTF-8.", ""));
                return (rows, bad);
            }
            if (text is null)
                return (rows, bad);
            line++;
            if (string.IsNullOrWhiteSpace(text))
                continue;
            if (Problem(text, kind, out var headword) is { } reason)
                bad.Add(new(line, reason, text.Length > 200 ? text[..200] + "…" : text));
            else
                rows.Add(new(line, headword!, text));
        }
    }

    private static string? Problem(string text, DatasetKind kind, out string? headword)
    {
        headword = null;
        if (text.Length > LongestLine)
            return $"the row is longer than {LongestLine:N0} characters.";
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

    private static string Kind(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Array => "a list", JsonValueKind.Object => "an object", JsonValueKind.String => "text", JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false", _ => "null",
    };
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Text;

/// <summary>JSON Lines: one object per line, UTF-8. Files are streamed, never held whole.</summary>
public static class Jsonl
{
    /// <summary>Longest line accepted, in bytes.</summary>
    public const int MaxLineBytes = 16 << 20;

    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The objects of a file; blank lines are skipped.</summary>
    /// <exception cref="InvalidDatasetException">A line is not a JSON object in UTF-8, or too long; thrown when the enumeration reaches it.</exception>
    public static IEnumerable<JsonlRow> Read(string path)
    {
        using var stream = File.OpenRead(path);
        foreach (var (line, bytes) in Lines(stream))
        {
            if (!bytes.Span.ContainsAnyExcept(" \t\r"u8))
                continue;
            yield return new JsonlRow(line, Parse(line, bytes));
        }
    }

    /// <summary>
    /// The rows of a file, each with its problem when it has one, for an import that puts bad rows aside instead of refusing the file.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="from">Makes a row, for example <see cref="PromptCompletion.From"/>.</param>
    public static IEnumerable<(int Line, T? Row, InvalidDatasetException? Problem)> ReadLeniently<T>(string path, Func<JsonlRow, T> from) where T : class
    {
        using var stream = File.OpenRead(path);
        foreach (var (line, bytes) in Lines(stream))
        {
            if (!bytes.Span.ContainsAnyExcept(" \t\r"u8))
                continue;
            T? row = null;
            InvalidDatasetException? problem = null;
            try
            {
                row = from(new JsonlRow(line, Parse(line, bytes)));
            }
            catch (InvalidDatasetException e)
            {
                problem = e;
            }
            yield return (line, row, problem);
        }
    }

    /// <summary>Finds the rows of a file, to be read by their number; blank lines are none.</summary>
    /// <param name="path">The file, UTF-8.</param>
    /// <param name="read">Makes a row, for example <see cref="Formats.RowReader.FineTuning"/>; called whenever a row is asked for.</param>
    public static JsonlRows<T> Open<T>(string path, Func<JsonlRow, T> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        var file = File.OpenHandle(path, options: FileOptions.RandomAccess);
        try
        {
            return new(file, read);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Rows <c>{"text","headword"}</c>.</summary>
    /// <exception cref="InvalidDatasetException">As for <see cref="Read"/> and <see cref="CorpusText.From"/>.</exception>
    public static IEnumerable<CorpusText> ReadCorpus(string path) => Read(path).Select(CorpusText.From);

    /// <summary>Rows <c>{"prompt","completion","headword"}</c>.</summary>
    /// <exception cref="InvalidDatasetException">As for <see cref="Read"/> and <see cref="PromptCompletion.From"/>.</exception>
    public static IEnumerable<PromptCompletion> ReadInstructions(string path) => Read(path).Select(PromptCompletion.From);

    /// <summary>Rows <c>{"prompt","chosen","rejected","headword","rejected_kind"}</c>.</summary>
    /// <exception cref="InvalidDatasetException">As for <see cref="Read"/> and <see cref="PreferenceExample.From"/>.</exception>
    public static IEnumerable<PreferenceExample> ReadPreferences(string path) => Read(path).Select(PreferenceExample.From);

    /// <summary>Writes rows with snake_case names, atomically.</summary>
    public static void Write<T>(string path, IEnumerable<T> rows) => AtomicFile.Write(path, stream =>
    {
        foreach (var row in rows)
        {
            JsonSerializer.Serialize(stream, row, Format);
            stream.WriteByte((byte)'\n');
        }
    });

    internal static JsonElement Parse(int line, ReadOnlyMemory<byte> bytes)
    {
        if (!Utf8.IsValid(bytes.Span))
            throw new InvalidDatasetException("the bytes are not valid UTF-8.", line);
        try
        {
            using var document = JsonDocument.Parse(bytes);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidDatasetException($"expected a JSON object, found {document.RootElement.ValueKind.ToString().ToLowerInvariant()}.", line);
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new InvalidDatasetException($"not valid JSON at byte {e.BytePositionInLine}: {e.Message.Split(" LineNumber:")[0]}", line);
        }
    }

    private static IEnumerable<(int Line, ReadOnlyMemory<byte> Bytes)> Lines(Stream stream)
    {
        var buffer = new byte[1 << 16];
        int start = 0, filled = 0, line = 1;
        while (true)
        {
            var newline = buffer.AsSpan(start, filled - start).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                yield return (line++, WithoutMark(line, buffer.AsMemory(start, newline)));
                start += newline + 1;
                continue;
            }
            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            (start, filled) = (0, filled - start);
            if (filled == buffer.Length)
            {
                if (buffer.Length >= MaxLineBytes)
                    throw new InvalidDatasetException($"longer than {MaxLineBytes >> 20} MiB.", line);
                Array.Resize(ref buffer, buffer.Length * 2);
            }
            var read = stream.Read(buffer.AsSpan(filled));
            if (read == 0)
                break;
            filled += read;
        }
        if (filled > 0)
            yield return (line, WithoutMark(line + 1, buffer.AsMemory(0, filled)));
    }

    // Some editors start a file with a byte-order mark, which is no JSON.
    private static ReadOnlyMemory<byte> WithoutMark(int nextLine, ReadOnlyMemory<byte> bytes) =>
        nextLine == 2 && bytes.Span.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
}

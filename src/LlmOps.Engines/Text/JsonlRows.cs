using System.Collections;
using Microsoft.Win32.SafeHandles;

namespace LlmOps.Engines.Text;

/// <summary>
/// The rows of a JSONL file by their number, read when they are asked for: only the places of the lines are in memory (12 bytes for each row). The file must not
/// change while it is open. Safe for use on many threads.
/// </summary>
public sealed class JsonlRows<T> : IReadOnlyList<T>, IDisposable
{
    private readonly SafeFileHandle file;
    private readonly Func<JsonlRow, T> read;
    private readonly List<(long Offset, int Line)> rows = [];
    private readonly long length;

    internal JsonlRows(SafeFileHandle file, Func<JsonlRow, T> read)
    {
        (this.file, this.read, length) = (file, read, RandomAccess.GetLength(file));
        var buffer = new byte[1 << 16];
        var (line, start, blank) = (1, 0L, true);
        for (long at = 0; at < length;)
        {
            var filled = RandomAccess.Read(file, buffer, at);
            if (filled == 0)
                break;
            for (var i = 0; i < filled; i++)
            {
                var b = buffer[i];
                if (b != '\n')
                {
                    // A byte-order mark is no row of its own.
                    blank &= b is (byte)' ' or (byte)'\t' or (byte)'\r' || at + i < 3 && b is 0xEF or 0xBB or 0xBF;
                    continue;
                }
                if (!blank)
                    rows.Add((start, line));
                (line, start, blank) = (line + 1, at + i + 1, true);
            }
            at += filled;
        }
        if (!blank)
            rows.Add((start, line));
    }

    /// <inheritdoc/>
    public int Count => rows.Count;

    /// <summary>Reads a row.</summary>
    /// <exception cref="InvalidDatasetException">The line is no JSON object in UTF-8, is too long, or <c>read</c> refuses it.</exception>
    public T this[int index]
    {
        get
        {
            var (offset, line) = rows[index];
            var end = index + 1 < rows.Count ? rows[index + 1].Offset : length;
            if (end - offset > Jsonl.MaxLineBytes)
                throw new InvalidDatasetException($"longer than {Jsonl.MaxLineBytes >> 20} MiB.", line);
            var bytes = new byte[end - offset];
            for (var filled = 0; filled < bytes.Length;)
            {
                var got = RandomAccess.Read(file, bytes.AsSpan(filled), offset + filled);
                if (got == 0)
                    throw new EndOfStreamException($"The file became shorter while it was read, at line {line}.");
                filled += got;
            }
            var one = bytes.AsMemory();
            // The next row may be a few blank lines further.
            if (bytes.AsSpan().IndexOf((byte)'\n') is >= 0 and var newline)
                one = one[..newline];
            if (one.Span.StartsWith("\uFEFF"u8))
                one = one[3..];
            return read(new JsonlRow(line, Jsonl.Parse(line, one)));
        }
    }

    /// <inheritdoc/>
    public IEnumerator<T> GetEnumerator()
    {
        for (var i = 0; i < Count; i++)
            yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>
/// Columns as bytes and back: a version, the number of rows, the two columns of numbers, a byte for each row that is missing, then five columns of text.
/// A column of text is either empty, a text for each row, or a list of texts that repeat and a number for each row. Little-endian.
/// </summary>
internal static class ColumnPacking
{
    private const int Version = 1;

    private enum Texts : byte { None, Each, Repeating }

    public static byte[] Pack(ScoredColumns columns)
    {
        using var stream = new MemoryStream(columns.Count * 40 + 64);
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Version);
        writer.Write(columns.Count);
        foreach (var value in columns.Values)
            writer.Write(value);
        foreach (var weight in columns.Weights)
            writer.Write(weight);
        foreach (var missing in columns.Missing)
            writer.Write(missing);
        Write(writer, columns.Keys, repeat: false);
        Write(writer, columns.Slices, repeat: true);
        Write(writer, columns.Clusters, repeat: true);
        Write(writer, columns.Details, repeat: false);
        writer.Flush();
        return stream.ToArray();
    }

    /// <summary>Null when the bytes are of another version or damaged: the rows are still there to read.</summary>
    public static ScoredColumns? Unpack(ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (Int(ref bytes) != Version || Int(ref bytes) is var count && count < 0)
                return null;
            var values = MemoryMarshal.Cast<byte, double>(Take(ref bytes, checked(count * sizeof(double)))).ToArray();
            var weights = MemoryMarshal.Cast<byte, double>(Take(ref bytes, count * sizeof(double))).ToArray();
            var missing = MemoryMarshal.Cast<byte, bool>(Take(ref bytes, count)).ToArray();
            var keys = Read(ref bytes, count);
            if (Array.Exists(keys, k => k is null))
                return null;
            return new ScoredColumns { Values = values, Weights = weights, Missing = missing, Keys = keys!, Slices = Read(ref bytes, count), Clusters = Read(ref bytes, count), Details = Read(ref bytes, count) };
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            return null;
        }
    }

    private static void Write(BinaryWriter writer, string?[] texts, bool repeat)
    {
        if (!Array.Exists(texts, t => t is not null))
        {
            writer.Write((byte)Texts.None);
            return;
        }
        writer.Write((byte)(repeat ? Texts.Repeating : Texts.Each));
        if (!repeat)
        {
            Each(writer, texts);
            return;
        }
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        var numbers = Array.ConvertAll(texts, t => t is null ? -1 : places.TryGetValue(t, out var place) ? place : places[t] = places.Count);
        writer.Write(places.Count);
        Each(writer, [.. places.Keys]);
        foreach (var number in numbers)
            writer.Write(number);
    }

    /// <summary>All lengths, −1 for none, then all letters: decoding needs no search for an end.</summary>
    private static void Each(BinaryWriter writer, string?[] texts)
    {
        foreach (var text in texts)
            writer.Write(text is null ? -1 : Encoding.UTF8.GetByteCount(text));
        foreach (var text in texts)
            if (text is not null)
                writer.Write(Encoding.UTF8.GetBytes(text));
    }

    private static string?[] Read(ref ReadOnlySpan<byte> bytes, int count)
    {
        var kind = (Texts)Take(ref bytes, 1)[0];
        if (kind == Texts.None)
            return new string?[count];
        if (kind == Texts.Each)
            return Each(ref bytes, count);
        var known = Each(ref bytes, Int(ref bytes));
        var texts = new string?[count];
        for (var i = 0; i < count; i++)
            texts[i] = Int(ref bytes) is var place && place < 0 ? null : known[place];
        return texts;
    }

    private static string?[] Each(ref ReadOnlySpan<byte> bytes, int count)
    {
        var lengths = Take(ref bytes, checked(count * sizeof(int)));
        var texts = new string?[count];
        for (var i = 0; i < count; i++)
            if (BinaryPrimitives.ReadInt32LittleEndian(lengths[(i * sizeof(int))..]) is var length && length >= 0)
                texts[i] = Encoding.UTF8.GetString(Take(ref bytes, length));
        return texts;
    }

    private static int Int(ref ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt32LittleEndian(Take(ref bytes, sizeof(int)));

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, int length)
    {
        var taken = bytes[..length];
        bytes = bytes[length..];
        return taken;
    }
}

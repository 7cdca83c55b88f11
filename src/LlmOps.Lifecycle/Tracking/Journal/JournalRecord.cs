using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace LlmOps.Lifecycle.Tracking.Journal;

/// <summary>The points of one request, with the experiment of their run, so that nothing has to be looked up before they are written.</summary>
internal sealed record LoggedPoints(Guid RunId, Guid ExperimentId, IReadOnlyList<LoggedMetric> Metrics);

/// <summary>
/// How points lie in the journal: length and check sum of what follows, the generation of the file, run, experiment, count, then name, step, time and value of each.
/// All numbers are little-endian.
/// </summary>
internal static class JournalRecord
{
    private const int Head = 8, Fixed = 8 + 16 + 16 + 4, OfPoint = 2 + 8 + 8 + 8;
    private const int LongestPayload = 4 << 20;

    /// <summary>The generation is put in by <see cref="Seal"/>, because the file is not known yet.</summary>
    public static (byte[] Rented, int Length) Write(LoggedPoints points)
    {
        var size = Head + Fixed;
        foreach (var m in points.Metrics)
            size += OfPoint + Encoding.UTF8.GetMaxByteCount(m.Key.Length);
        var buffer = ArrayPool<byte>.Shared.Rent(size);
        var span = buffer.AsSpan();
        points.RunId.TryWriteBytes(span[16..]);
        points.ExperimentId.TryWriteBytes(span[32..]);
        BinaryPrimitives.WriteInt32LittleEndian(span[48..], points.Metrics.Count);
        var at = Head + Fixed;
        foreach (var m in points.Metrics)
        {
            var length = Encoding.UTF8.GetBytes(m.Key, span[(at + 2)..]);
            BinaryPrimitives.WriteUInt16LittleEndian(span[at..], (ushort)length);
            at += 2 + length;
            BinaryPrimitives.WriteInt64LittleEndian(span[at..], m.Step);
            BinaryPrimitives.WriteInt64LittleEndian(span[(at + 8)..], m.At.ToUnixTimeMilliseconds());
            BinaryPrimitives.WriteDoubleLittleEndian(span[(at + 16)..], m.Value);
            at += 24;
        }
        BinaryPrimitives.WriteInt32LittleEndian(span, at - Head);
        return (buffer, at);
    }

    public static void Seal(Span<byte> record, long generation)
    {
        BinaryPrimitives.WriteInt64LittleEndian(record[Head..], generation);
        BinaryPrimitives.WriteUInt32LittleEndian(record[4..], Sum(record[Head..]));
    }

    /// <summary>Null at the end: where the file was cut off, or where an older generation begins.</summary>
    public static LoggedPoints? Read(ref ReadOnlySpan<byte> rest, long generation)
    {
        if (rest.Length < Head + Fixed)
            return null;
        var length = BinaryPrimitives.ReadInt32LittleEndian(rest);
        if (length is < Fixed or > LongestPayload || length > rest.Length - Head)
            return null;
        var payload = rest.Slice(Head, length);
        if (BinaryPrimitives.ReadInt64LittleEndian(payload) != generation || BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]) != Sum(payload))
            return null;
        rest = rest[(Head + length)..];
        var metrics = new LoggedMetric[BinaryPrimitives.ReadInt32LittleEndian(payload[40..])];
        var at = Fixed;
        for (var i = 0; i < metrics.Length; i++)
        {
            var key = BinaryPrimitives.ReadUInt16LittleEndian(payload[at..]);
            at += 2 + key;
            metrics[i] = new(Encoding.UTF8.GetString(payload.Slice(at - key, key)), BinaryPrimitives.ReadDoubleLittleEndian(payload[(at + 16)..]),
                DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(payload[(at + 8)..])), BinaryPrimitives.ReadInt64LittleEndian(payload[at..]));
            at += 24;
        }
        return new(new Guid(payload.Slice(8, 16)), new Guid(payload.Slice(24, 16)), metrics);
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        var sum = uint.MaxValue;
        for (; bytes.Length >= 8; bytes = bytes[8..])
            sum = BitOperations.Crc32C(sum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var b in bytes)
            sum = BitOperations.Crc32C(sum, b);
        return ~sum;
    }
}

using System.Text;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>Ranges of Unicode code points, both ends included.</summary>
internal static class CodePoints
{
    public const int Last = 0x10FFFF;

    /// <summary>What is in none of the ranges.</summary>
    public static List<(int First, int Last)> Complement(IEnumerable<(int First, int Last)> ranges)
    {
        var result = new List<(int, int)>();
        var next = 0;
        foreach (var (first, last) in ranges.Order())
        {
            if (first > next)
                result.Add((next, first - 1));
            next = Math.Max(next, last + 1);
        }
        if (next <= Last)
            result.Add((next, Last));
        return result;
    }

    /// <summary>The UTF-8 forms of a range; surrogates have none.</summary>
    public static Term Utf8(TermPool pool, int first, int last)
    {
        var parts = Pieces.Select(p => (First: Math.Max(first, p.First), Last: Math.Min(last, p.Last)))
            .Where(p => p.First <= p.Last)
            .Select(p => Between(pool, Encode(p.First), Encode(p.Last)));
        return pool.Alt([.. parts]);
    }

    // Code points whose forms have the same length, without surrogates.
    private static readonly (int First, int Last)[] Pieces = [(0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, Last)];

    private static byte[] Encode(int codePoint) => Encoding.UTF8.GetBytes(char.ConvertFromUtf32(codePoint));

    private static Term Between(TermPool pool, ReadOnlySpan<byte> low, ReadOnlySpan<byte> high)
    {
        var (l, h) = (low[0], high[0]);
        if (low.Length == 1)
            return pool.Bytes(ByteSet.Range(l, h));
        if (l == h)
            return pool.Seq(pool.Bytes(ByteSet.Range(l, l)), Between(pool, low[1..], high[1..]));
        Span<byte> least = stackalloc byte[low.Length - 1];
        Span<byte> most = stackalloc byte[low.Length - 1];
        least.Fill(0x80);
        most.Fill(0xBF);
        return pool.Alt(
            pool.Seq(pool.Bytes(ByteSet.Range(l, l)), Between(pool, low[1..], most)),
            l + 1 < h ? pool.Seq(pool.Bytes(ByteSet.Range((byte)(l + 1), (byte)(h - 1))), Between(pool, least, most)) : pool.Fail,
            pool.Seq(pool.Bytes(ByteSet.Range(h, h)), Between(pool, least, high[1..])));
    }
}

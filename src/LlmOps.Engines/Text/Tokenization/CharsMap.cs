using System.Buffers.Binary;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>
/// SentencePiece's compiled normalization rules: a double-array trie (Darts) over UTF-8 bytes, whose values are positions in a block of texts that end with a zero byte.
/// Layout: trie size in bytes (uint32), trie units (uint32 each), block.
/// </summary>
internal sealed class CharsMap
{
    private readonly uint[] units;
    private readonly byte[] block;

    /// <exception cref="InvalidModelException">The sizes do not fit.</exception>
    public CharsMap(ReadOnlySpan<byte> blob)
    {
        if (blob.Length < 4)
            throw new InvalidModelException("precompiled_charsmap is too short to hold a size.");
        var size = BinaryPrimitives.ReadUInt32LittleEndian(blob);
        if (size % 4 != 0 || size == 0 || size > (uint)blob.Length - 4)
            throw new InvalidModelException($"precompiled_charsmap states a trie of {size} bytes; it has {blob.Length} in all.");
        units = new uint[size / 4];
        for (var i = 0; i < units.Length; i++)
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + i * 4)..]);
        block = blob[(4 + (int)size)..].ToArray();
    }

    /// <summary>The rule for the start of a text.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="longest">Whether to take the longest rule that fits (as SentencePiece does) or the shortest (as <c>tokenizers</c> does).</param>
    /// <param name="length">Bytes that the rule replaces.</param>
    /// <returns>Null when no rule fits.</returns>
    public string? Find(ReadOnlySpan<byte> utf8, bool longest, out int length)
    {
        length = 0;
        var found = -1;
        var node = Offset(units[0]);
        for (var i = 0; i < utf8.Length && utf8[i] != 0; i++)
        {
            node ^= utf8[i];
            // Damaged tries lead outside; that ends the search like a missing rule.
            if (node >= units.Length || (units[node] & 0x800000FF) != utf8[i])
                break;
            var unit = units[node];
            node ^= Offset(unit);
            if ((unit & 0x100) == 0 || node >= units.Length)
                continue;
            (found, length) = ((int)(units[node] & 0x7FFFFFFF), i + 1);
            if (!longest)
                break;
        }
        return found < 0 ? null : TextAt(found);
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);

    private string TextAt(int position)
    {
        if (position >= block.Length)
            return "";
        var rest = block.AsSpan(position);
        var end = rest.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? rest : rest[..end]);
    }
}

using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>
/// <see cref="CharsMap"/> as <c>tokenizers</c> applies it: to each user-perceived character of fewer than six bytes, else to each of its code points; and by the shortest
/// rule that fits its start. SentencePiece itself does otherwise, see <see cref="SentencePieceNormalizer"/>.
/// </summary>
internal sealed class PrecompiledRules(CharsMap map) : Normalizer
{
    private const int MaxBytes = 6;
    private readonly string?[] ascii = [.. Enumerable.Range(0, 128).Select(c => map.Find([(byte)c], longest: false, out _))];

    public override string Normalize(string text)
    {
        var result = new StringBuilder(text.Length);
        Span<byte> utf8 = stackalloc byte[4 * 4];
        for (var rest = text.AsSpan(); rest.Length > 0;)
        {
            // Two ASCII characters never join, but for a line break.
            if (rest[0] < 128 && rest[0] != '\r' && (rest.Length == 1 || rest[1] < 128))
            {
                Append(result, ascii[rest[0]], rest[..1]);
                rest = rest[1..];
                continue;
            }
            var cluster = rest[..StringInfo.GetNextTextElementLength(rest)];
            rest = rest[cluster.Length..];
            if (cluster.Length < MaxBytes && Encoding.UTF8.TryGetBytes(cluster, utf8, out var bytes) && bytes < MaxBytes && map.Find(utf8[..bytes], longest: false, out _) is { } whole)
            {
                result.Append(whole);
                continue;
            }
            while (cluster.Length > 0)
            {
                Rune.DecodeFromUtf16(cluster, out var rune, out var width);
                Append(result, map.Find(utf8[..rune.EncodeToUtf8(utf8)], longest: false, out _), cluster[..width]);
                cluster = cluster[width..];
            }
        }
        return result.ToString();
    }

    private static void Append(StringBuilder result, string? replacement, ReadOnlySpan<char> original)
    {
        if (replacement is null)
            result.Append(original);
        else
            result.Append(replacement);
    }
}

using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>
/// What SentencePiece does to a text before its model: the longest rule of the character map at each place, but never inside a user-defined piece; spaces become
/// marks (U+2581); superfluous spaces go; one is put before the text.
/// </summary>
/// <param name="map">Rules, or null.</param>
/// <param name="userDefined">Pieces that are left as they are.</param>
/// <param name="addPrefix">Whether to put a mark before the text (or after it, see <paramref name="suffix"/>).</param>
/// <param name="removeExtra">Whether spaces at the ends go, and of each run all but one.</param>
/// <param name="escape">Whether spaces become marks.</param>
/// <param name="suffix">Whether words end with a mark instead of beginning with one.</param>
internal sealed class SentencePieceNormalizer(CharsMap? map, IEnumerable<string> userDefined, bool addPrefix, bool removeExtra, bool escape, bool suffix) : Normalizer
{
    private readonly CharacterTrie kept = Trie(userDefined);
    private readonly byte[] space = Encoding.UTF8.GetBytes(escape ? "\u2581" : " ");

    public override string Normalize(string text)
    {
        var input = Encoding.UTF8.GetBytes(text);
        var output = new List<byte>(input.Length * 2);
        var at = 0;
        while (removeExtra && at < input.Length && Prefix(input, at, out var skipped) is [(byte)' '])
            at += skipped;
        if (at == input.Length)
            return "";
        if (addPrefix && !suffix)
            output.AddRange(space);
        var afterSpace = removeExtra;
        while (at < input.Length)
        {
            var part = Prefix(input, at, out var length);
            while (afterSpace && part is [(byte)' ', ..])
                part = part[1..];
            foreach (var b in part)
            {
                if (b == ' ')
                    output.AddRange(space);
                else
                    output.Add(b);
            }
            if (part.Length > 0)
                afterSpace = removeExtra && part[^1] == ' ';
            at += length;
        }
        while (removeExtra && output.Count >= space.Length && System.Runtime.InteropServices.CollectionsMarshal.AsSpan(output).EndsWith(space))
            output.RemoveRange(output.Count - space.Length, space.Length);
        if (addPrefix && suffix)
            output.AddRange(space);
        return Encoding.UTF8.GetString(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(output));
    }

    private ReadOnlySpan<byte> Prefix(byte[] input, int at, out int length)
    {
        var rest = input.AsSpan(at);
        length = 0;
        for (int node = CharacterTrie.Root, i = 0; i < rest.Length && kept.Next(node, (char)rest[i], out node); i++)
        {
            if (kept.ValueAt(node) >= 0)
                length = i + 1;
        }
        if (length > 0)
            return rest[..length];
        if (map?.Find(rest, longest: true, out length) is { } replacement)
            return Encoding.UTF8.GetBytes(replacement);
        Rune.DecodeFromUtf8(rest, out _, out length);
        return rest[..length];
    }

    // Texts as their UTF-8 bytes, one character each.
    private static CharacterTrie Trie(IEnumerable<string> texts)
    {
        var trie = new CharacterTrie();
        foreach (var text in texts)
            trie.Add(Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text)), 0);
        return trie;
    }
}

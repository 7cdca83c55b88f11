using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Turns the spellings of tokens into text, step by step.</summary>
internal abstract class TokenDecoder
{
    /// <summary>Changes a list of spellings; the text is what they are together in the end.</summary>
    public abstract List<string> Decode(List<string> tokens);

    /// <summary>The spelling of one token that follows others: what it adds to the text.</summary>
    public abstract string Following(string token);

    /// <summary>Whether spellings are in <see cref="ByteAlphabet"/>.</summary>
    public virtual bool IsByteLevel => false;

    /// <summary>Whether <c>&lt;0xE2&gt;</c> is a byte.</summary>
    public virtual bool HasBytes => false;

    /// <summary>Whether a token is still treated as the first when all before it had no text.</summary>
    public virtual bool SkipsEmptyStart => false;
}

/// <summary>A decoder that changes each token by itself, the first perhaps otherwise.</summary>
internal sealed class EachToken(Func<string, bool, string> change) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
            tokens[i] = change(tokens[i], i == 0);
        return tokens;
    }

    public override string Following(string token) => change(token, false);
}

/// <summary>Reads the alphabet of <see cref="ByteAlphabet"/>; bytes that are no UTF-8 become U+FFFD.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    public override bool IsByteLevel => true;

    public override List<string> Decode(List<string> tokens)
    {
        using var buffer = new MemoryStream(tokens.Count * 4);
        foreach (var token in tokens)
            buffer.Write(BytesOf(token));
        return [Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length)];
    }

    public override string Following(string token) => Encoding.UTF8.GetString(BytesOf(token));

    public static byte[] BytesOf(string token) => ByteAlphabet.BytesOf(token) ?? Encoding.UTF8.GetBytes(token);
}

/// <summary>Joins byte tokens to characters; when a run of them is no UTF-8, each becomes U+FFFD.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public override bool HasBytes => true;

    public override List<string> Decode(List<string> tokens)
    {
        var (result, run) = (new List<string>(tokens.Count), new List<byte>());
        foreach (var token in tokens)
        {
            if (ByteOf(token) is { } b)
            {
                run.Add(b);
                continue;
            }
            Flush(run, result);
            result.Add(token);
        }
        Flush(run, result);
        return result;
    }

    public override string Following(string token) => token;

    /// <summary>The byte that a token spells, or null.</summary>
    public static byte? ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var b) ? b : null;

    private static void Flush(List<byte> run, List<string> result)
    {
        try
        {
            if (run.Count > 0)
                result.Add(Strict.GetString([.. run]));
        }
        catch (DecoderFallbackException)
        {
            result.AddRange(Enumerable.Repeat("\uFFFD", run.Count));
        }
        run.Clear();
    }
}

/// <summary>Makes one text of all tokens.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    public override List<string> Decode(List<string> tokens) => [string.Concat(tokens)];

    public override string Following(string token) => token;
}

/// <summary>Several, one after the other.</summary>
internal sealed class DecoderSequence(IReadOnlyList<TokenDecoder> steps) : TokenDecoder
{
    public override bool IsByteLevel => steps.Any(s => s.IsByteLevel);

    public override bool HasBytes => steps.Any(s => s.HasBytes);

    public override List<string> Decode(List<string> tokens) => steps.Aggregate(tokens, (t, step) => step.Decode(t));

    public override string Following(string token) => steps.Aggregate(token, (t, step) => step.Following(t));
}

/// <summary>SentencePiece's own decoding: marks become spaces, the ones that normalization put at the start are taken off, unknown tokens have a spelling.</summary>
/// <param name="removeFirst">Whether the first mark is taken off.</param>
/// <param name="removeAll">Whether all marks of tokens at the start are taken off.</param>
/// <param name="unknownToken">Spelling of the unknown token in the vocabulary.</param>
/// <param name="unknownText">What it becomes in a text.</param>
internal sealed class SentencePieceDecoder(bool removeFirst, bool removeAll, string unknownToken, string unknownText) : TokenDecoder
{
    private const char Mark = '\u2581';

    public override bool HasBytes => true;

    public override bool SkipsEmptyStart => removeAll;

    public override List<string> Decode(List<string> tokens)
    {
        var (result, run, atStart) = (new List<string>(tokens.Count), new List<byte>(), true);
        foreach (var token in tokens)
        {
            if (ByteFallbackDecoder.ByteOf(token) is { } b)
            {
                run.Add(b);
                continue;
            }
            Flush(run, result);
            atStart &= result.All(r => r.Length == 0);
            var removed = atStart && removeFirst && token.StartsWith(Mark);
            result.Add(removed ? Following(token[1..]) : Following(token));
            atStart &= !removed || removeAll;
        }
        Flush(run, result);
        return result;
    }

    public override string Following(string token) => token == unknownToken ? unknownText : token.Replace(Mark, ' ');

    // One U+FFFD for each byte that starts no character.
    private static void Flush(List<byte> run, List<string> result)
    {
        for (var rest = run.ToArray().AsSpan(); rest.Length > 0;)
        {
            var whole = Rune.DecodeFromUtf8(rest, out var rune, out var length) == System.Buffers.OperationStatus.Done;
            result.Add(whole ? rune.ToString() : "\uFFFD");
            rest = rest[(whole ? length : 1)..];
        }
        run.Clear();
    }
}

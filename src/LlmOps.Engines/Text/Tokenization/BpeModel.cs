using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>How a <see cref="BpeModel"/> cuts a piece into its first symbols; names as in <c>tokenizer.json</c>.</summary>
internal sealed record BpeOptions
{
    /// <summary>Pieces are plain text that is read as UTF-8 bytes in <see cref="ByteAlphabet"/>.</summary>
    public bool ByteLevel { get; init; }
    /// <summary>Characters without a token become the tokens of their bytes, <c>&lt;0xE2&gt;</c>.</summary>
    public bool ByteFallback { get; init; }
    /// <summary>Id for characters without a token; null leaves them out.</summary>
    public int? Unknown { get; init; }
    /// <summary>Whether neighbouring unknown characters share one token.</summary>
    public bool FuseUnknown { get; init; }
    /// <summary>Whether a piece that is itself a token is taken whole, unless it is one of <see cref="Control"/>.</summary>
    public bool IgnoreMerges { get; init; }
    /// <summary>Ids that no text may give.</summary>
    public IReadOnlySet<int> Control { get; init; } = new HashSet<int>();
    /// <summary>Stands before each character but the first.</summary>
    public string Prefix { get; init; } = "";
    /// <summary>Stands after the last character.</summary>
    public string Suffix { get; init; } = "";
}

/// <summary>Byte-pair encoding (Sennrich et al. 2016): neighbours are merged in the order of their rank, from left to right among equals.</summary>
internal sealed class BpeModel : TokenModel
{
    private readonly Dictionary<string, int> ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> bySpan;
    private readonly PairTable merges;
    private readonly BpeOptions options;
    private readonly int[] byteIds;
    private readonly SafeBreaks breaks;

    /// <param name="ids">The vocabulary.</param>
    /// <param name="pairs">Ids of the pairs that are merged, of the result, and the rank; a pair that comes twice has its last rank.</param>
    /// <param name="options">How pieces become symbols.</param>
    public BpeModel(Dictionary<string, int> ids, IReadOnlyList<(int Left, int Right, int Merged, int Rank)> pairs, BpeOptions options)
    {
        (this.ids, this.options, bySpan) = (ids, options, ids.GetAlternateLookup<ReadOnlySpan<char>>());
        merges = new PairTable(pairs.Count);
        foreach (var (left, right, merged, rank) in pairs)
            merges[left, right] = new BpeMerge(rank, merged);
        byteIds = [.. Enumerable.Range(0, 256).Select(b => ids.GetValueOrDefault(
            options.ByteLevel ? ByteAlphabet.CharOf((byte)b).ToString() : string.Create(CultureInfo.InvariantCulture, $"<0x{b:X2}>"), -1))];
        // Where characters may be left out, what stands before and after them meets.
        var complete = options.Unknown is not null || (options.ByteFallback && !byteIds.Contains(-1));
        breaks = complete && options is { ByteLevel: false, IgnoreMerges: false, Prefix: "", Suffix: "" } ? new SafeBreaks(ids) : SafeBreaks.None;
    }

    protected override void Compute(ReadOnlySpan<char> piece, List<int> output)
    {
        if (options.IgnoreMerges && Whole(piece) is { } whole)
        {
            output.Add(whole);
            return;
        }
        if (breaks.Next(piece) is var end && end < piece.Length)
        {
            // Nothing merges over these places: each part is a word of its own, and words repeat.
            for (var rest = piece; rest.Length > 0; rest = rest[end..])
            {
                end = breaks.Next(rest);
                Encode(rest[..end], output);
            }
            return;
        }
        var symbols = new List<int>(piece.Length + 8);
        if (options.ByteLevel)
            BytesOf(piece, symbols);
        else
            CharactersOf(piece, symbols);
        var count = BpeMerging.Run(CollectionsMarshal.AsSpan(symbols), merges);
        output.AddRange(CollectionsMarshal.AsSpan(symbols)[..count]);
    }

    private int? Whole(ReadOnlySpan<char> piece)
    {
        if (options.ByteLevel)
            piece = ByteAlphabet.TokenOf(Utf8(piece));
        return bySpan.TryGetValue(piece, out var id) && !options.Control.Contains(id) ? id : null;
    }

    private void BytesOf(ReadOnlySpan<char> piece, List<int> symbols)
    {
        foreach (var b in Utf8(piece))
            symbols.Add(byteIds[b]);
    }

    private static byte[] Utf8(ReadOnlySpan<char> piece)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(piece)];
        Encoding.UTF8.GetBytes(piece, bytes);
        return bytes;
    }

    // An unknown character waits, because the next may be fused with it, until a known one comes; the byte tokens of a character do not end the wait.
    private void CharactersOf(ReadOnlySpan<char> piece, List<int> symbols)
    {
        var waiting = false;
        Span<char> character = stackalloc char[2];
        for (var at = 0; at < piece.Length;)
        {
            Rune.DecodeFromUtf16(piece[at..], out var rune, out var width);
            var text = character[..rune.EncodeToUtf16(character)];
            int id;
            var known = options is { Prefix: "", Suffix: "" } ? bySpan.TryGetValue(text, out id)
                : ids.TryGetValue($"{(at > 0 ? options.Prefix : "")}{text}{(at + width == piece.Length ? options.Suffix : "")}", out id);
            at += width;
            if (known)
            {
                if (waiting)
                    symbols.Add(options.Unknown!.Value);
                waiting = false;
                symbols.Add(id);
            }
            else if (!(options.ByteFallback && AddBytes(text, symbols)) && options.Unknown is { } unknown)
            {
                if (waiting && !options.FuseUnknown)
                    symbols.Add(unknown);
                waiting = true;
            }
        }
        if (waiting)
            symbols.Add(options.Unknown!.Value);
    }

    private bool AddBytes(ReadOnlySpan<char> text, List<int> symbols)
    {
        var start = symbols.Count;
        foreach (var b in Utf8(text))
        {
            if (byteIds[b] < 0)
            {
                symbols.RemoveRange(start, symbols.Count - start);
                return false;
            }
            symbols.Add(byteIds[b]);
        }
        return true;
    }
}

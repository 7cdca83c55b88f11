using LlmOps.Engines.Text;

namespace LlmOps.Engines.Inference;

/// <summary>
/// The byte strings of all tokens as one tree, so that what may come next is decided for all tokens together. Made once for a tokenizer; safe for use on
/// many threads.
/// </summary>
public sealed class TokenTrie
{
    // Nodes in the order of a walk: a node's first child follows it, and End is the node after its last descendant. Node 0 is the root.
    private readonly byte[] labels;
    private readonly int[] depths;
    private readonly int[] tokenStarts;
    private readonly int[] ends;
    private readonly int[] tokens;
    private readonly byte[]?[] byToken;

    /// <summary>Collects the tokens of a tokenizer; control tokens take no part.</summary>
    /// <exception cref="UnsupportedModelException">As for the other constructor.</exception>
    public TokenTrie(Tokenizer tokenizer)
        : this(tokenizer.VocabularySize, id => tokenizer.IsSpecial(id) ? [] : tokenizer.Bytes(id), tokenizer.EndIds)
    {
    }

    /// <summary>Collects tokens.</summary>
    /// <param name="vocabularySize">Number of ids.</param>
    /// <param name="bytes">UTF-8 bytes of a token, which may be a part of a character; empty for a control token.</param>
    /// <param name="endTokens">Ids that end a generation.</param>
    /// <exception cref="UnsupportedModelException">A byte that texts need has no token, so that some texts could not be finished.</exception>
    public TokenTrie(int vocabularySize, Func<int, ReadOnlySpan<byte>> bytes, IEnumerable<int> endTokens)
    {
        VocabularySize = vocabularySize;
        EndTokens = [.. endTokens];
        var sorted = new List<(byte[] Bytes, int Id)>(vocabularySize);
        for (var id = 0; id < vocabularySize; id++)
            if (!EndTokens.Contains(id) && bytes(id) is { Length: > 0 } some)
                sorted.Add((some.ToArray(), id));
        RequireAllBytes(sorted);
        sorted.Sort((a, b) => a.Bytes.AsSpan().SequenceCompareTo(b.Bytes) is var order && order != 0 ? order : a.Id.CompareTo(b.Id));
        tokens = [.. sorted.Select(t => t.Id)];
        var (labels, depths, tokenStarts) = (new List<byte> { 0 }, new List<int> { 0 }, new List<int> { 0 });
        byte[] path = [];
        for (var i = 0; i < sorted.Count; i++)
        {
            var own = sorted[i].Bytes;
            for (var depth = path.AsSpan().CommonPrefixLength(own); depth < own.Length; depth++)
            {
                labels.Add(own[depth]);
                depths.Add(depth + 1);
                tokenStarts.Add(i);
            }
            path = own;
        }
        tokenStarts.Add(sorted.Count);
        (this.labels, this.depths, this.tokenStarts) = ([.. labels], [.. depths], [.. tokenStarts]);
        ends = Ends();
        MaxTokenBytes = sorted.Max(t => t.Bytes.Length);
        byToken = new byte[vocabularySize][];
        foreach (var (own, id) in sorted)
            byToken[id] = own;
    }

    /// <summary>Number of ids.</summary>
    public int VocabularySize { get; }

    /// <summary>Ids that end a generation.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    internal int MaxTokenBytes { get; }

    internal int NodeCount => labels.Length;

    /// <summary>The bytes of a token; empty for control tokens.</summary>
    internal ReadOnlySpan<byte> BytesOf(int token) => byToken[token];

    internal byte Label(int node) => labels[node];

    internal int Depth(int node) => depths[node];

    /// <summary>The node after the last descendant.</summary>
    internal int End(int node) => ends[node];

    /// <summary>Tokens whose bytes are those on the way to the node.</summary>
    /// <remarks>Tokens sort right after their prefixes: all from where the node was made to where the next was are its own, several when they have the same bytes.</remarks>
    internal ReadOnlySpan<int> TokensAt(int node) => tokens.AsSpan(tokenStarts[node]..tokenStarts[node + 1]);

    private int[] Ends()
    {
        var result = new int[labels.Length];
        var open = new Stack<int>();
        for (var node = 0; node < labels.Length; node++)
        {
            while (open.TryPeek(out var last) && depths[last] >= depths[node])
                result[open.Pop()] = node;
            open.Push(node);
        }
        while (open.TryPop(out var last))
            result[last] = labels.Length;
        return result;
    }

    private static void RequireAllBytes(List<(byte[] Bytes, int Id)> tokens)
    {
        var single = tokens.Where(t => t.Bytes.Length == 1).Select(t => t.Bytes[0]).ToHashSet();
        for (var b = 0x20; b <= 0xF4; b++)
            if (b is not (0x7F or 0xC0 or 0xC1) && !single.Contains((byte)b))
                throw new UnsupportedModelException(
                    $"The tokenizer has no token for the byte 0x{b:X2} alone; constrained output needs one for each byte of UTF-8 texts.");
    }
}

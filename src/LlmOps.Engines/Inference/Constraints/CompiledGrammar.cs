using System.Runtime.CompilerServices;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>The terms and masks of one grammar, shared by its generations; one lock, because each use may make new terms.</summary>
internal sealed class CompiledGrammar(TermPool pool, Term start)
{
    private readonly Lock use = new();
    private readonly ConditionalWeakTable<TokenTrie, TokenMasks> masks = [];

    public Term Start => start;

    /// <summary>The state in which the text can only end.</summary>
    public Term End => pool.Empty;

    /// <summary>Terms made so far; they are never forgotten.</summary>
    public int TermCount => pool.Count;

    /// <summary>The state after some bytes, or null when they may not come.</summary>
    public Term? Next(Term state, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return null;
        lock (use)
        {
            foreach (var b in bytes)
                state = pool.Next(state, b);
        }
        return state == pool.Fail ? null : state;
    }

    public void Apply(TokenTrie trie, Term state, Span<float> scores)
    {
        lock (use)
        {
            var allowed = masks.GetValue(trie, t => new TokenMasks(pool, t)).For(state);
            for (var word = 0; word < allowed.Length; word++)
            {
                if (allowed[word] == ulong.MaxValue)
                    continue;
                var some = scores[(word * 64)..Math.Min(word * 64 + 64, scores.Length)];
                for (var bit = 0; bit < some.Length; bit++)
                    if ((allowed[word] >> bit & 1) == 0)
                        some[bit] = float.NegativeInfinity;
            }
        }
    }
}

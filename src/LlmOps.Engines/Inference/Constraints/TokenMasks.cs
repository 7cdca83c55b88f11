namespace LlmOps.Engines.Inference.Constraints;

/// <summary>
/// Which tokens may come next, one bit each. What a first part (an atom, or a byte) allows is computed once with one walk over the trie, together with the
/// nodes where it may be over and the rest of the state goes on; so a string inside ten objects costs the same as one alone.
/// </summary>
internal sealed class TokenMasks(TermPool pool, TokenTrie trie)
{
    // Masks are a bit for each token: 19 kB for 150,000 tokens.
    private const int MaxKept = 512;

    // About a second; common schemas need thousands of times less.
    private const long MaxWork = 20_000_000;

    private readonly Dictionary<Term, ulong[]> byState = [];
    private readonly Dictionary<Term, (ulong[] Allowed, int[] Exits)> byFirst = [];
    private long lastWork;
    private readonly Term[] path = new Term[trie.MaxTokenBytes + 1];

    public ReadOnlySpan<ulong> For(Term state)
    {
        if (byState.TryGetValue(state, out var mask))
            return mask;
        if (byState.Count >= MaxKept)
            byState.Clear();
        mask = new ulong[(trie.VocabularySize + 63) / 64];
        lastWork = pool.Work + MaxWork;
        Add(state, mask);
        if (state.Nullable)
            foreach (var end in trie.EndTokens)
                Set(mask, end);
        return byState[state] = mask;
    }

    private void Add(Term state, ulong[] mask)
    {
        var (first, rest) = state.Kind == TermKind.Seq ? (state.A, state.B) : (state, pool.Empty);
        switch (first.Kind)
        {
            case TermKind.Alt:
                foreach (var item in first.Items)
                    Add(pool.Seq(item, rest), mask);
                break;
            case TermKind.Rule:
                Add(pool.Seq(pool.Body(first), rest), mask);
                break;
            case TermKind.Repeat:
                var again = pool.Repeat(first.A, Math.Max(first.Min - 1, 0), first.Max == TermPool.Unlimited ? TermPool.Unlimited : first.Max - 1);
                Add(pool.Seq(first.A, pool.Seq(again, rest)), mask);
                if (first.Nullable)
                    Add(rest, mask);
                break;
            case TermKind.Bytes or TermKind.Atom:
                var (allowed, exits) = First(first);
                for (var i = 0; i < mask.Length; i++)
                    mask[i] |= allowed[i];
                foreach (var node in exits)
                {
                    if (node == 0)
                        Add(rest, mask);
                    else
                        Walk(rest, node, mask, null);
                }
                break;
        }
    }

    private (ulong[] Allowed, int[] Exits) First(Term first)
    {
        first = Clamp(first);
        if (byFirst.TryGetValue(first, out var known))
            return known;
        if (byFirst.Count >= MaxKept)
            byFirst.Clear();
        var exits = new List<int>();
        if (first.Nullable)
            exits.Add(0);
        var allowed = new ulong[(trie.VocabularySize + 63) / 64];
        Walk(first, 0, allowed, exits);
        return byFirst[first] = (allowed, [.. exits]);
    }

    /// <summary>Allows the tokens below a node.</summary>
    private void Walk(Term from, int start, ulong[] mask, List<int>? exits)
    {
        if (from == pool.Empty)
            return;
        path[trie.Depth(start)] = from;
        var end = trie.End(start);
        for (var node = start + 1; node < end;)
        {
            var depth = trie.Depth(node);
            if (pool.Work > lastWork)
                throw new ArgumentException("The schema is too ambiguous: there are too many ways to read the text so far.");
            var next = pool.Next(path[depth - 1], trie.Label(node));
            if (next == pool.Fail)
            {
                node = trie.End(node);
                continue;
            }
            foreach (var token in trie.TokensAt(node))
                Set(mask, token);
            if (next.Nullable)
                exits?.Add(node);
            path[depth] = next;
            node = next == pool.Empty ? trie.End(node) : node + 1;
        }
    }

    // Limits on length that no single token can reach make no difference to what tokens are allowed.
    private Term Clamp(Term t) => t.Kind switch
    {
        TermKind.Atom => pool.Atom(Clamp(t.A)),
        TermKind.Seq => pool.Seq(Clamp(t.A), Clamp(t.B)),
        TermKind.Repeat => pool.Repeat(t.A, Math.Min(t.Min, trie.MaxTokenBytes + 1), t.Max > trie.MaxTokenBytes ? TermPool.Unlimited : t.Max),
        _ => t,
    };

    private static void Set(ulong[] mask, int token) => mask[token >> 6] |= 1UL << token;
}

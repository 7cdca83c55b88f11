namespace LlmOps.Engines.Inference.Constraints;

/// <summary>
/// Finds out whether any text belongs to a term with intersections by visiting everything that can follow it; all that was visited is marked, so that
/// a generation is never led to where it could not end. Without intersections a term other than Fail always has a text.
/// </summary>
internal static class LiveTerms
{
    private const int MaxStates = 20_000;

    /// <exception cref="ArgumentException">Too many states.</exception>
    public static bool IsLive(TermPool pool, Term term) => !term.HasIntersection ? term != pool.Fail : term.IsLive ?? Explore(pool, term);

    private static bool Explore(TermPool pool, Term start)
    {
        var before = new Dictionary<Term, List<Term>> { [start] = [] };
        var open = new Stack<Term>([start]);
        var live = new Stack<Term>();
        while (open.TryPop(out var term))
        {
            if (term.Nullable || term.IsLive == true || !term.HasIntersection)
                live.Push(term);
            if (term.IsLive is not null || !term.HasIntersection)
                continue;
            var edges = Edges(term);
            for (var b = 0; b < 256; b++)
            {
                if (b > 0 && !edges.Contains((byte)b))
                    continue; // the same as for the byte before
                var next = pool.Next(term, (byte)b);
                if (next == pool.Fail)
                    continue;
                if (!before.TryGetValue(next, out var sources))
                {
                    if (before.Count >= MaxStates)
                        throw new ArgumentException($"A pattern together with length limits needs more than {MaxStates} states; simplify the pattern or leave out the limits.");
                    before[next] = sources = [];
                    open.Push(next);
                }
                sources.Add(term);
            }
        }
        foreach (var term in before.Keys)
            term.IsLive = false;
        while (live.TryPop(out var term))
        {
            if (term.IsLive == true)
                continue;
            term.IsLive = true;
            foreach (var source in before[term])
                live.Push(source);
        }
        return start.IsLive == true;
    }

    private static ByteSet Edges(Term t) => t.Kind switch
    {
        TermKind.Bytes => t.Set.Edges,
        TermKind.Seq => t.A.Nullable ? Edges(t.A) | Edges(t.B) : Edges(t.A),
        TermKind.Alt => t.Items.Aggregate(default(ByteSet), (edges, item) => edges | Edges(item)),
        TermKind.And => Edges(t.A) | Edges(t.B),
        TermKind.Repeat or TermKind.Atom or TermKind.Not => Edges(t.A),
        TermKind.Rule => ByteSet.All,
        _ => default,
    };
}

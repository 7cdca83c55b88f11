namespace LlmOps.Engines.Inference.Constraints;

/// <summary>
/// Makes terms, each only once, in a normal form: sequences lean to the right, alternatives are flat, sorted and share their first part. Derivatives
/// by a byte (Brzozowski 1964; Owens, Reppy and Turon 2009) therefore reach few different terms. Not safe for use on many threads.
/// </summary>
/// <param name="expand">The term of a rule with some levels of nesting left.</param>
internal sealed class TermPool(Func<int, int, Term> expand)
{
    /// <summary>For <see cref="Repeat"/>: no upper limit.</summary>
    public const int Unlimited = -1;

    // An ambiguous schema keeps that many possibilities at once; more would make each step slow without end.
    private const int MaxAlternatives = 4096;

    // Some hundred bytes each; no generation that is not led astray comes near.
    private const int MaxTerms = 500_000;

    private readonly Dictionary<(TermKind, int, int, int, int), Term> made = [];
    private readonly Dictionary<ByteSet, Term> sets = [];
    private readonly Dictionary<int[], Term> alternatives = new(new SameNumbers());
    private int count = 2;

    public Term Fail { get; } = new(0, TermKind.Fail, false);
    public Term Empty { get; } = new(1, TermKind.Empty, true);

    /// <summary>Terms made so far.</summary>
    public int Count => count;

    /// <summary>A measure of the work done so far.</summary>
    public long Work { get; private set; }

    public Term Bytes(ByteSet set)
    {
        if (set.IsEmpty)
            return Fail;
        if (!sets.TryGetValue(set, out var term))
            sets[set] = term = new Term(NewId(), TermKind.Bytes, false) { Set = set };
        return term;
    }

    public Term Bytes(char first, char last) => Bytes(ByteSet.Range((byte)first, (byte)last));

    public Term Literal(ReadOnlySpan<byte> bytes)
    {
        var term = Empty;
        for (var i = bytes.Length - 1; i >= 0; i--)
            term = Seq(Bytes(ByteSet.Range(bytes[i], bytes[i])), term);
        return term;
    }

    public Term Seq(params ReadOnlySpan<Term> parts)
    {
        var term = Empty;
        for (var i = parts.Length - 1; i >= 0; i--)
            term = Seq(parts[i], term);
        return term;
    }

    public Term Seq(Term a, Term b)
    {
        if (a == Fail || b == Fail)
            return Fail;
        if (a == Empty || b == Empty)
            return a == Empty ? b : a;
        if (a.Kind != TermKind.Seq)
            return Make(TermKind.Seq, a, b, 0, 0, a.Nullable && b.Nullable);
        var parts = new List<Term>();
        for (; a.Kind == TermKind.Seq; a = a.B)
            parts.Add(a.A);
        b = Seq(a, b);
        for (var i = parts.Count - 1; i >= 0; i--)
            b = Make(TermKind.Seq, parts[i], b, 0, 0, parts[i].Nullable && b.Nullable);
        return b;
    }

    public Term Alt(params ReadOnlySpan<Term> items)
    {
        Work += items.Length;
        var flat = new HashSet<Term>();
        var bytes = default(ByteSet);
        foreach (var item in items)
            foreach (var part in item.Kind == TermKind.Alt ? item.Items : [item])
            {
                if (part.Kind == TermKind.Bytes)
                    bytes |= part.Set;
                else if (part != Fail)
                    flat.Add(part);
            }
        if (!bytes.IsEmpty)
            flat.Add(Bytes(bytes));
        var parts = Factored(flat);
        if (parts.Count > MaxAlternatives)
            throw new ArgumentException($"The schema is too ambiguous: more than {MaxAlternatives} ways to read the text so far.");
        if (parts.Count <= 1)
            return parts.Count == 0 ? Fail : parts[0];
        parts.Sort((x, y) => x.Id.CompareTo(y.Id));
        var key = new int[parts.Count];
        for (var i = 0; i < key.Length; i++)
            key[i] = parts[i].Id;
        if (!alternatives.TryGetValue(key, out var term))
        {
            alternatives[key] = term = new Term(NewId(), TermKind.Alt, parts.Any(p => p.Nullable))
            {
                Items = [.. parts], HasIntersection = parts.Any(p => p.HasIntersection),
            };
        }
        return term;
    }

    /// <param name="a">What is repeated.</param>
    /// <param name="min">At least.</param>
    /// <param name="max">At most, or <see cref="Unlimited"/>.</param>
    public Term Repeat(Term a, int min, int max)
    {
        if (a.Nullable)
            min = 0;
        if (max == 0 || a == Empty || (a == Fail && min == 0))
            return Empty;
        if (a == Fail || (max != Unlimited && min > max))
            return Fail;
        return min == 1 && max == 1 ? a : Make(TermKind.Repeat, a, null, min, max, min == 0);
    }

    public Term Optional(Term a) => Alt(Empty, a);

    public Term Rule(int rule, int depth) => Make(TermKind.Rule, null, null, rule, depth, false);

    /// <summary>Fails when no text is left.</summary>
    /// <exception cref="ArgumentException">The term has too many states to know.</exception>
    public Term Atom(Term a) => a == Empty || !LiveTerms.IsLive(this, a) ? a == Empty ? Empty : Fail : Make(TermKind.Atom, a, null, 0, 0, a.Nullable);

    public Term And(Term a, Term b)
    {
        if (a == Fail || b == Fail)
            return Fail;
        if (a == b || IsEverything(b))
            return a;
        if (IsEverything(a))
            return b;
        if (a == Empty || b == Empty)
            return a.Nullable && b.Nullable ? Empty : Fail;
        return a.Id < b.Id ? Make(TermKind.And, a, b, 0, 0, a.Nullable && b.Nullable) : And(b, a);
    }

    public Term Not(Term a) => a.Kind == TermKind.Not ? a.A : Make(TermKind.Not, a, null, 0, 0, !a.Nullable);

    public Term Body(Term rule) => rule.Body ??= expand(rule.Min, rule.Max);

    /// <summary>What may follow a byte; <see cref="Fail"/> when the byte may not come.</summary>
    public Term Next(Term t, byte b)
    {
        switch (t.Kind)
        {
            case TermKind.Fail or TermKind.Empty:
                return Fail;
            case TermKind.Bytes:
                return t.Set.Contains(b) ? Empty : Fail;
            case TermKind.Seq:
                var first = Seq(Next(t.A, b), t.B);
                return t.A.Nullable ? Alt(first, Next(t.B, b)) : first;
        }
        ref var known = ref (t.Next ??= new Term?[256])[b];
        return known ??= Derive(t, b);
    }

    private Term Derive(Term t, byte b)
    {
        switch (t.Kind)
        {
            case TermKind.Alt:
                var parts = new Term[t.Items.Length];
                for (var i = 0; i < parts.Length; i++)
                    parts[i] = Next(t.Items[i], b);
                return Alt(parts);
            case TermKind.Repeat:
                return Seq(Next(t.A, b), Repeat(t.A, Math.Max(t.Min - 1, 0), t.Max == Unlimited ? Unlimited : t.Max - 1));
            case TermKind.Rule:
                return Next(Body(t), b);
            case TermKind.Atom:
                return Atom(Next(t.A, b));
            case TermKind.And:
                return And(Next(t.A, b), Next(t.B, b));
            default:
                return Not(Next(t.A, b));
        }
    }

    private int NewId() => count < MaxTerms ? count++ : throw new ArgumentException($"The schema is too ambiguous or too large: it leads to more than {MaxTerms} states.");

    private bool IsEverything(Term t) => t.Kind == TermKind.Not && t.A == Fail;

    // a b | a c = a (b | c): the choice waits until the texts differ.
    private List<Term> Factored(HashSet<Term> flat)
    {
        if (flat.Count < 2)
            return [.. flat];
        var byFirst = new Dictionary<Term, List<Term>>();
        foreach (var item in flat)
        {
            var (first, rest) = item.Kind == TermKind.Seq ? (item.A, item.B) : (item, Empty);
            if (!byFirst.TryGetValue(first, out var rests))
                byFirst[first] = rests = [];
            rests.Add(rest);
        }
        return [.. byFirst.Select(g => g.Value.Count == 1 ? Seq(g.Key, g.Value[0]) : Seq(g.Key, Alt([.. g.Value])))];
    }

    private Term Make(TermKind kind, Term? a, Term? b, int min, int max, bool nullable)
    {
        var key = (kind, a?.Id ?? -1, b?.Id ?? -1, min, max);
        if (!made.TryGetValue(key, out var term))
        {
            made[key] = term = new Term(NewId(), kind, nullable)
            {
                A = a!, B = b!, Min = min, Max = max,
                HasIntersection = kind is TermKind.And or TermKind.Not || a is { HasIntersection: true } || b is { HasIntersection: true },
            };
        }
        return term;
    }

    private sealed class SameNumbers : IEqualityComparer<int[]>
    {
        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(int[] numbers)
        {
            var hash = new HashCode();
            hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(numbers));
            return hash.ToHashCode();
        }
    }
}

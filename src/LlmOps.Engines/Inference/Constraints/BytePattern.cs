namespace LlmOps.Engines.Inference.Constraints;

/// <summary>A regular expression as a term, with the shortest and longest text in characters (null: no limit).</summary>
internal readonly record struct BytePattern(Term Term, int MinLength, int? MaxLength)
{
    /// <param name="pool">Makes the terms.</param>
    /// <param name="chars">The bytes of one character of some ranges.</param>
    /// <param name="pattern">ECMA-262 syntax without look-around, back references and word boundaries.</param>
    /// <exception cref="ArgumentException">The pattern is malformed or uses what is not supported.</exception>
    public static BytePattern Parse(TermPool pool, Func<IReadOnlyList<(int First, int Last)>, Term> chars, string pattern) =>
        new PatternParser(pool, chars, pattern).Parse();
}

/// <summary>Recursive descent over alternatives, sequences, quantifiers and characters.</summary>
internal sealed class PatternParser(TermPool pool, Func<IReadOnlyList<(int First, int Last)>, Term> chars, string pattern)
{
    private const int MaxLength = 2000;
    private const int MaxDepth = 50;
    // Counters inside counters multiply the states a text can be in.
    private const long MaxNestedRepeat = 2000;

    private int at;
    private int depth;
    private long nested = 1;

    private BytePattern Any => new(pool.Repeat(chars([(0, CodePoints.Last)]), 0, TermPool.Unlimited), 0, null);

    public BytePattern Parse()
    {
        if (pattern.Length > MaxLength)
            throw new ArgumentException($"the pattern is longer than {MaxLength} characters.");
        BytePattern? all = null;
        do
        {
            // Without an anchor the pattern may be found anywhere in the text.
            var before = Take('^') ? Nothing : Any;
            var middle = Sequence(top: true);
            var after = Take('$') ? Nothing : Any;
            all = Either(all, Then(Then(before, middle), after));
        }
        while (Take('|'));
        return at < pattern.Length ? throw Unexpected() : all.Value;
    }

    private BytePattern Nothing => new(pool.Empty, 0, 0);

    private BytePattern Alternatives()
    {
        if (++depth > MaxDepth)
            throw new ArgumentException($"groups are nested more than {MaxDepth} deep.");
        BytePattern? all = null;
        do
            all = Either(all, Sequence(top: false));
        while (Take('|'));
        depth--;
        return all.Value;
    }

    private BytePattern Sequence(bool top)
    {
        var parts = new List<BytePattern>();
        while (at < pattern.Length && pattern[at] is not ('|' or ')') && !(top && pattern[at] == '$'))
            parts.Add(Quantified());
        var term = pool.Seq([.. parts.Select(p => p.Term)]);
        return new BytePattern(term, Sum(parts.Select(p => (long)p.MinLength)),
            parts.TrueForAll(p => p.MaxLength is not null) ? Sum(parts.Select(p => (long)p.MaxLength!)) : null);
    }

    private BytePattern Quantified()
    {
        // What is nested is known only after the quantifier, so the depth of counters is found by parsing the item once more.
        var outer = nested;
        nested = 1;
        var item = Item();
        var inside = nested;
        nested = outer;
        if (at == pattern.Length || Quantifier() is not var (min, max))
        {
            nested = Math.Max(nested, inside);
            return item;
        }
        Take('?'); // lazy: the same texts
        var times = max == TermPool.Unlimited ? Math.Max(min, 1) : Math.Max(max, 1);
        if (inside * times > MaxNestedRepeat)
            throw new ArgumentException($"quantifiers multiply to more than {MaxNestedRepeat}.");
        nested = Math.Max(nested, inside * times);
        return new BytePattern(pool.Repeat(item.Term, min, max), Clip((long)item.MinLength * min),
            max == 0 || item.MaxLength == 0 ? 0 : max == TermPool.Unlimited || item.MaxLength is null ? null : Clip((long)item.MaxLength * max));
    }

    private (int Min, int Max)? Quantifier()
    {
        if (Take('*'))
            return (0, TermPool.Unlimited);
        if (Take('+'))
            return (1, TermPool.Unlimited);
        if (Take('?'))
            return (0, 1);
        if (!Take('{'))
            return null;
        var min = Count();
        var max = !Take(',') ? min : at < pattern.Length && pattern[at] == '}' ? TermPool.Unlimited : Count();
        if (!Take('}'))
            throw Unexpected();
        return max != TermPool.Unlimited && max < min ? throw new ArgumentException($"the quantifier {{{min},{max}}} has its limits the wrong way round.") : (min, max);
    }

    private int Count()
    {
        var start = at;
        while (at < pattern.Length && char.IsAsciiDigit(pattern[at]))
            at++;
        return int.TryParse(pattern.AsSpan(start, at - start), out var count) && count <= MaxNestedRepeat
            ? count
            : throw new ArgumentException($"a quantifier needs a number of at most {MaxNestedRepeat} at position {start}.");
    }

    private BytePattern Item()
    {
        if (!Take('('))
            return new BytePattern(chars(PatternCharacters.Next(pattern, ref at)), 1, 1);
        if (Take('?') && !Take(':'))
            throw new ArgumentException($"(?{(at < pattern.Length ? pattern[at] : ' ')} at position {at - 2} is not supported; supported are groups ( ) and (?: ).");
        var inside = Alternatives();
        return Take(')') ? inside : throw new ArgumentException("a group is not closed.");
    }

    private BytePattern Either(BytePattern? a, BytePattern b) => a is not { } first
        ? b
        : new BytePattern(pool.Alt(first.Term, b.Term), Math.Min(first.MinLength, b.MinLength),
            first.MaxLength is null || b.MaxLength is null ? null : Math.Max(first.MaxLength.Value, b.MaxLength.Value));

    private BytePattern Then(BytePattern a, BytePattern b) =>
        new(pool.Seq(a.Term, b.Term), Clip((long)a.MinLength + b.MinLength), a.MaxLength is null || b.MaxLength is null ? null : Clip((long)a.MaxLength + b.MaxLength.Value));

    private static int Sum(IEnumerable<long> lengths) => Clip(lengths.Sum());

    private static int Clip(long length) => (int)Math.Min(length, int.MaxValue);

    private bool Take(char c)
    {
        if (at >= pattern.Length || pattern[at] != c)
            return false;
        at++;
        return true;
    }

    private ArgumentException Unexpected() =>
        new(at < pattern.Length ? $"'{pattern[at]}' at position {at} is not expected or not supported there." : "it ends too early.");
}

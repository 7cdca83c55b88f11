using System.Globalization;
using System.Text.Json;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>Strings and numbers of schemas that hold together.</summary>
internal sealed class ScalarSchema(TermPool pool, JsonTerms json)
{
    private static readonly Dictionary<string, string> Formats = new()
    {
        ["date"] = $"^{Date}$",
        ["time"] = $"^{Time}$",
        ["date-time"] = $"^{Date}T{Time}$",
        ["uuid"] = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    };

    // The 29th of February is left out: which years have one is more than a pattern should say.
    private const string Date = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))";
    private const string Time = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])";

    private readonly Dictionary<string, BytePattern> patterns = [];

    public Term String(List<SchemaPlace> schemas)
    {
        var (min, max) = Limits(schemas, "minLength", "maxLength");
        var found = schemas.SelectMany(PatternsOf).ToList();
        if (found.Count == 0)
            return json.String(pool.Repeat(json.AnyChar, min, max));
        var all = found.Select(p => p.Term).Aggregate(pool.And);
        // Most patterns say themselves how long a text is; only otherwise both conditions are followed side by side.
        if (found.TrueForAll(p => p.MinLength < min || (max != TermPool.Unlimited && (p.MaxLength ?? int.MaxValue) > max)))
            all = pool.And(all, pool.Repeat(json.PlainChar, min, max));
        return json.String(all);
    }

    public Term Number(List<SchemaPlace> schemas, bool whole)
    {
        Bound? low = null, high = null;
        foreach (var place in schemas)
        {
            low = Tighter(Tighter(low, BoundOf(place, "minimum", false), true), BoundOf(place, "exclusiveMinimum", true), true);
            high = Tighter(Tighter(high, BoundOf(place, "maximum", false), false), BoundOf(place, "exclusiveMaximum", true), false);
        }
        return low is null && high is null
            ? whole ? json.Integer : json.Number
            : pool.Atom(new NumberRange(pool, json, whole).Between(low, high));
    }

    /// <summary>The larger of the lower limits and the smaller of the upper ones.</summary>
    public static (int Min, int Max) Limits(List<SchemaPlace> schemas, string least, string most)
    {
        var (min, max) = (0, TermPool.Unlimited);
        foreach (var place in schemas)
        {
            min = Math.Max(min, place.Count(least) ?? 0);
            if (place.Count(most) is { } m)
                max = max == TermPool.Unlimited ? m : Math.Min(max, m);
        }
        return (min, max);
    }

    private IEnumerable<BytePattern> PatternsOf(SchemaPlace place)
    {
        if (place.Find("pattern", JsonValueKind.String, "a regular expression") is { } pattern)
            yield return Parse(place, pattern.GetString()!);
        if (place.Find("format", JsonValueKind.String, "a name") is { } format && Formats.TryGetValue(format.GetString()!, out var known))
            yield return Parse(place, known);
    }

    private BytePattern Parse(SchemaPlace place, string pattern)
    {
        if (patterns.TryGetValue(pattern, out var known))
            return known;
        try
        {
            return patterns[pattern] = BytePattern.Parse(pool, json.PlainChars, pattern);
        }
        catch (ArgumentException e)
        {
            throw place.Error($"\"pattern\": {e.Message}");
        }
    }

    private static Bound? BoundOf(SchemaPlace place, string keyword, bool exclusive)
    {
        if (place.Find(keyword, JsonValueKind.Number, "a number") is not { } value)
            return null;
        const decimal limit = 1_000_000_000_000_000_000;
        if (!decimal.TryParse(value.GetRawText(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || Math.Abs(number) >= limit || number.Scale > JsonTerms.MaxDigits)
            throw place.Wrong(keyword, value, $"a number of at most {JsonTerms.MaxDigits} digits before and after the point");
        return new Bound(number, exclusive);
    }

    private static Bound? Tighter(Bound? a, Bound? b, bool lower)
    {
        if (a is not { } x || b is not { } y)
            return a ?? b;
        if (x.Value == y.Value)
            return x.Exclusive ? x : y;
        return x.Value > y.Value == lower ? x : y;
    }
}

/// <summary>An end of a range of numbers.</summary>
internal readonly record struct Bound(decimal Value, bool Exclusive);

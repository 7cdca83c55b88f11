using System.Globalization;
using System.Text.Json;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>Objects and arrays of schemas that hold together.</summary>
/// <param name="pool">Makes the terms.</param>
/// <param name="json">Lexical units.</param>
/// <param name="value">The rule for the values of some schemas with some levels of nesting left.</param>
internal sealed class ContainerSchema(TermPool pool, JsonTerms json, Func<IReadOnlyList<SchemaPlace>, int, Term> value)
{
    public const int MaxLiteralBytes = 1000;
    private const int MaxProperties = 500;
    private const int MaxPrefix = 500;

    public static readonly string[] Keywords =
        ["properties", "required", "additionalProperties", "items", "prefixItems", "additionalItems", "minItems", "maxItems"];

    /// <summary>Properties in the order of the schema, those not required may be left out; then any number of others where they are allowed.</summary>
    public Term Object(List<SchemaPlace> schemas, int depth)
    {
        var required = schemas.SelectMany(Required).Distinct(StringComparer.Ordinal).ToList();
        var names = schemas.SelectMany(s => s.Find("properties", JsonValueKind.Object, "an object")?.EnumerateObject().Select(p => p.Name) ?? [])
            .Concat(required).Distinct(StringComparer.Ordinal).ToList();
        if (names.Count > MaxProperties)
            throw schemas[0].Error($"there are more than {MaxProperties} properties.");
        var others = schemas.Where(s => s.Find("additionalProperties") is not null).Select(s => s.Child("additionalProperties", s.Find("additionalProperties")!.Value)).ToList();
        var free = others.Count > 0 ? Others(names, others, depth) : names.Count == 0 ? Others(names, [SchemaPlace.Anything], depth) : pool.Fail;
        // Each property has two versions, after another and as the first, which has no comma before it.
        var later = pool.Repeat(pool.Seq(Comma, free), 0, TermPool.Unlimited);
        var first = pool.Optional(pool.Seq(free, later));
        for (var i = names.Count - 1; i >= 0; i--)
        {
            var member = pool.Seq(Key(schemas[0], names[i]), Colon, value(Parts(schemas, names[i]), depth), later);
            var must = required.Contains(names[i], StringComparer.Ordinal);
            (first, later) = must ? (member, pool.Seq(Comma, member)) : (pool.Alt(member, first), pool.Alt(pool.Seq(Comma, member), later));
        }
        return pool.Seq(json.Text("{"), json.Space, first, json.Space, json.Text("}"));
    }

    public Term Array(List<SchemaPlace> schemas, int depth)
    {
        var (min, max) = ScalarSchema.Limits(schemas, "minItems", "maxItems");
        if (max != TermPool.Unlimited && max < min)
            return pool.Fail;
        var prefix = schemas.Max(s => Prefix(s).Count);
        if (prefix > MaxPrefix)
            throw schemas[0].Error($"there are more than {MaxPrefix} prefixItems.");
        var rest = schemas.Select(Rest).OfType<SchemaPlace>().ToList();
        // Like properties: what is listed is all there is, unless the schema says how it goes on.
        var last = max == TermPool.Unlimited && prefix > 0 && rest.Count == 0 ? Math.Max(min, prefix) : max;
        var item = value(rest.Count > 0 ? rest : [SchemaPlace.Anything], depth);
        var after = last != TermPool.Unlimited && last < prefix ? pool.Empty : pool.Repeat(pool.Seq(Comma, item), Math.Max(min - Math.Max(prefix, 1), 0),
            last == TermPool.Unlimited ? last : Math.Max(last - Math.Max(prefix, 1), 0));
        for (var i = Math.Min(prefix, last == TermPool.Unlimited ? prefix : last) - 1; i >= 1; i--)
        {
            var more = pool.Seq(Comma, value(At(schemas, i), depth), after);
            after = i < min ? more : pool.Optional(more);
        }
        var body = pool.Seq(prefix > 0 ? value(At(schemas, 0), depth) : item, after);
        var items = last == 0 ? pool.Empty : min > 0 ? body : pool.Optional(body);
        return pool.Seq(json.Text("["), json.Space, items, json.Space, json.Text("]"));
    }

    private Term Comma => pool.Seq(json.Space, json.Text(","), json.Space);

    private Term Colon => pool.Seq(json.Space, json.Text(":"), json.Space);

    private Term Key(SchemaPlace place, string name)
    {
        var text = JsonTerms.Compact(name);
        return text.Length > MaxLiteralBytes ? throw place.Error($"a property's name is longer than {MaxLiteralBytes} bytes.") : pool.Literal(text);
    }

    // The names of the properties are not free for others: keys are written in one form only, so that no escape makes the same name again.
    private Term Others(List<string> names, List<SchemaPlace> schemas, int depth)
    {
        var key = names.Count == 0 ? json.AnyString : pool.Atom(pool.And(
            pool.Seq(json.Text("\""), pool.Repeat(json.PlainChar, 0, TermPool.Unlimited), json.Text("\"")),
            pool.Not(pool.Alt([.. names.Select(n => pool.Literal(JsonTerms.Compact(n)))]))));
        return pool.Seq(key, Colon, value(schemas, depth));
    }

    private static List<SchemaPlace> Parts(List<SchemaPlace> schemas, string name)
    {
        var parts = new List<SchemaPlace>();
        foreach (var place in schemas)
        {
            if (place.Find("properties") is { } properties && properties.TryGetProperty(name, out var own))
                parts.Add(place.Child("properties", name, own));
            else if (place.Find("additionalProperties") is { } other)
                parts.Add(place.Child("additionalProperties", other));
        }
        return parts.Count > 0 ? parts : [SchemaPlace.Anything];
    }

    private static IEnumerable<string> Required(SchemaPlace place) =>
        place.Find("required", JsonValueKind.Array, "a list of names")?.EnumerateArray()
            .Select(n => n.ValueKind == JsonValueKind.String ? n.GetString()! : throw place.Wrong("required", n, "names")) ?? [];

    private static List<SchemaPlace> At(List<SchemaPlace> schemas, int index)
    {
        var parts = schemas.Select(s => Prefix(s) is var own && index < own.Count ? own[index] : Rest(s)).OfType<SchemaPlace>().ToList();
        return parts.Count > 0 ? parts : [SchemaPlace.Anything];
    }

    // Before 2020 the list stood in "items" and the rest in "additionalItems".
    private static List<SchemaPlace> Prefix(SchemaPlace place)
    {
        var keyword = place.Find("items") is { ValueKind: JsonValueKind.Array } ? "items" : "prefixItems";
        return place.Find(keyword, JsonValueKind.Array, "a list of schemas") is { } list
            ? [.. list.EnumerateArray().Select((s, i) => place.Child(keyword, i.ToString(CultureInfo.InvariantCulture), s))]
            : [];
    }

    private static SchemaPlace? Rest(SchemaPlace place)
    {
        var keyword = place.Find("items") is { ValueKind: JsonValueKind.Array } ? "additionalItems" : "items";
        return place.Find(keyword) is { } schema ? place.Child(keyword, schema) : null;
    }
}

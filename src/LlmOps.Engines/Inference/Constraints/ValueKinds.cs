using System.Text.Json;

namespace LlmOps.Engines.Inference.Constraints;

[Flags]
internal enum Kinds { None = 0, Null = 1, Boolean = 2, Whole = 4, Fractional = 8, String = 16, Object = 32, Array = 64, All = 127 }

/// <summary>Which kinds of value schemas that hold together allow.</summary>
internal static class ValueKinds
{
    private static readonly (Kinds Kinds, string[] Keywords)[] Implied =
    [
        (Kinds.Object, ["properties", "required", "additionalProperties"]),
        (Kinds.Array, ["items", "prefixItems", "minItems", "maxItems"]),
        (Kinds.String, ["minLength", "maxLength", "pattern", "format"]),
        (Kinds.Whole | Kinds.Fractional, ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
    ];

    /// <remarks>A schema without <c>type</c> that says something about one kind means that kind, although JSON Schema would let all others through.</remarks>
    public static Kinds Of(List<SchemaPlace> schemas)
    {
        var kinds = Kinds.All;
        var typed = false;
        foreach (var place in schemas)
        {
            if (place.Find("type") is not { } type)
                continue;
            typed = true;
            kinds &= type.ValueKind == JsonValueKind.Array ? type.EnumerateArray().Aggregate(Kinds.None, (all, t) => all | Named(place, t)) : Named(place, type);
        }
        if (typed || schemas.Exists(s => s.Find("enum") is not null || s.Find("const") is not null))
            return kinds;
        var implied = Implied.Where(i => schemas.Exists(s => i.Keywords.Any(k => s.Find(k) is not null))).Aggregate(Kinds.None, (all, i) => all | i.Kinds);
        return implied == Kinds.None ? kinds : implied;
    }

    private static Kinds Named(SchemaPlace place, JsonElement type) => (type.ValueKind == JsonValueKind.String ? type.GetString() : null) switch
    {
        "null" => Kinds.Null,
        "boolean" => Kinds.Boolean,
        "integer" => Kinds.Whole,
        "number" => Kinds.Whole | Kinds.Fractional,
        "string" => Kinds.String,
        "object" => Kinds.Object,
        "array" => Kinds.Array,
        _ => throw place.Wrong("type", type, "null, boolean, integer, number, string, object or array, or a list of them"),
    };
}

using System.Text.Json;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>
/// Resolves <c>$ref</c>, <c>allOf</c>, <c>anyOf</c> and <c>oneOf</c>: what remains is a list of alternatives, each a list of plain schemas that hold together.
/// </summary>
internal sealed class SchemaAlternatives(JsonElement root)
{
    private const int MaxAlternatives = 256;
    private const int MaxParts = 1000;

    private static readonly string[] Refused =
    [
        "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "patternProperties", "propertyNames", "contains", "minContains",
        "maxContains", "minProperties", "maxProperties", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef",
    ];

    /// <summary>The alternatives of schemas that hold together.</summary>
    /// <exception cref="ArgumentException">A schema is no schema, uses a keyword that is not supported, refers to itself or to nothing, or has too many alternatives.</exception>
    public List<List<SchemaPlace>> Of(IReadOnlyList<SchemaPlace> schemas)
    {
        var open = new Stack<(List<SchemaPlace> Plain, List<(SchemaPlace Place, string[] Via)> Open)>();
        open.Push(([], [.. schemas.Select(s => (s, Array.Empty<string>()))]));
        var done = new List<List<SchemaPlace>>();
        while (open.TryPop(out var branch))
        {
            if (open.Count + done.Count > MaxAlternatives || branch.Plain.Count + branch.Open.Count > MaxParts)
                throw (branch.Open.Count > 0 ? branch.Open[0].Place : schemas[0]).Error($"there are more than {MaxAlternatives} alternatives or {MaxParts} parts; simplify the schema.");
            if (branch.Open.Count == 0)
            {
                done.Add(branch.Plain.Count > 0 ? branch.Plain : [SchemaPlace.Anything]);
                continue;
            }
            var (place, via) = branch.Open[^1];
            branch.Open.RemoveAt(branch.Open.Count - 1);
            if (place.Json.ValueKind == JsonValueKind.False)
                continue; // no value: the alternative falls away
            if (place.Json.ValueKind == JsonValueKind.True || branch.Plain.Any(p => p.Path == place.Path && p.Path.Length > 0))
            {
                open.Push(branch);
                continue;
            }
            if (place.Json.ValueKind != JsonValueKind.Object)
                throw place.Error("a schema is an object, true or false.");
            RequireSupported(place);
            branch.Plain.Add(place);
            if (place.Find("$ref") is { } reference)
            {
                var target = Resolve(place, reference);
                if (target.Path == place.Path || via.Contains(target.Path))
                    throw place.Error("the reference comes back to itself.");
                branch.Open.Add((target, [.. via, place.Path]));
            }
            branch.Open.AddRange(place.List("allOf").Select(s => (s, (string[])[.. via, place.Path])));
            Branch(open, branch, place, via);
        }
        return done;
    }

    private static void Branch(Stack<(List<SchemaPlace> Plain, List<(SchemaPlace Place, string[] Via)> Open)> open,
        (List<SchemaPlace> Plain, List<(SchemaPlace Place, string[] Via)> Open) branch, SchemaPlace place, string[] via)
    {
        string[] below = [.. via, place.Path];
        var any = place.List("anyOf").ToList();
        var one = place.List("oneOf").ToList();
        foreach (var a in any.Count > 0 ? any.Select(s => (SchemaPlace?)s) : [null])
            foreach (var o in one.Count > 0 ? one.Select(s => (SchemaPlace?)s) : [null])
            {
                var rest = branch.Open.ToList();
                if (a is { } first)
                    rest.Add((first, below));
                if (o is { } second)
                    rest.Add((second, below));
                open.Push(([.. branch.Plain], rest));
                if (open.Count > 4 * MaxAlternatives)
                    throw place.Error($"there are more than {MaxAlternatives} alternatives; simplify the schema.");
            }
    }

    private static void RequireSupported(SchemaPlace place)
    {
        foreach (var keyword in Refused)
            if (place.Find(keyword) is { } value && !HasNoEffect(keyword, value))
                throw place.Refused(keyword, "supported are type, enum, const, properties, required, additionalProperties, items, prefixItems, minItems, maxItems, " +
                    "minLength, maxLength, pattern, format, minimum, maximum, anyOf, oneOf, allOf and $ref");
        if (place.Find("uniqueItems") is { ValueKind: not JsonValueKind.False })
            throw place.Refused("uniqueItems", "check it after the generation");
        if (place.Find("multipleOf") is { } step && step.GetRawText() != "1")
            throw place.Refused("multipleOf", "check it after the generation");
    }

    private static bool HasNoEffect(string keyword, JsonElement value) => keyword switch
    {
        "patternProperties" or "dependentRequired" or "dependentSchemas" or "dependencies" => value.ValueKind == JsonValueKind.Object && !value.EnumerateObject().Any(),
        "minProperties" => value.GetRawText() == "0",
        "propertyNames" or "unevaluatedItems" or "unevaluatedProperties" => value.ValueKind == JsonValueKind.True,
        _ => false,
    };

    private SchemaPlace Resolve(SchemaPlace place, JsonElement reference)
    {
        if (reference.ValueKind != JsonValueKind.String || reference.GetString() is not { } text || !text.StartsWith('#') || text is not ("#" or ['#', '/', ..]))
            throw place.Wrong("$ref", reference, "a place in the same schema, like #/$defs/name");
        var target = root;
        var path = Uri.UnescapeDataString(text[1..]);
        foreach (var part in path.Split('/').Skip(1).Select(p => p.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)))
        {
            var found = target.ValueKind switch
            {
                JsonValueKind.Object => target.TryGetProperty(part, out target),
                JsonValueKind.Array => int.TryParse(part, System.Globalization.NumberStyles.None, null, out var i) && i < target.GetArrayLength() && (target = target[i]).ValueKind >= 0,
                _ => false,
            };
            if (!found)
                throw place.Wrong("$ref", reference, "a place that exists in the schema");
        }
        return new SchemaPlace(path, target);
    }
}

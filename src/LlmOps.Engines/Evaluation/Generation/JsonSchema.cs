using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>
/// Checks JSON values against a JSON Schema, draft 2020-12: all keywords of the applicator and validation vocabularies except dynamic references, references into
/// other documents and the unevaluated ones. A schema with one of those, or with an unknown keyword, is refused when it is read rather than half checked.
/// </summary>
/// <remarks>Unlike the grammar of constrained output, which narrows what a model may write, this accepts every value the schema does. "format" is an annotation.</remarks>
public sealed class JsonSchema
{
    private const int MaxDepth = 64;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private static readonly HashSet<string> Annotations =
        ["$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "format",
         "contentEncoding", "contentMediaType", "contentSchema"];

    private static readonly HashSet<string> Schemas =
        ["items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"];

    private static readonly HashSet<string> Lists = ["allOf", "anyOf", "oneOf", "prefixItems"];
    private static readonly HashSet<string> Maps = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];

    private static readonly HashSet<string> Checks =
        ["$ref", "type", "enum", "const", "required", "minProperties", "maxProperties", "dependentRequired", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains",
         "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];

    private readonly JsonElement root;

    private JsonSchema(JsonElement root) => this.root = root;

    /// <summary>Reads a schema.</summary>
    /// <exception cref="ArgumentException">It is not JSON, or has a keyword that is not checked; the message names the place.</exception>
    public static JsonSchema Parse(string schema)
    {
        try
        {
            using var document = JsonDocument.Parse(schema);
            var read = new JsonSchema(document.RootElement.Clone());
            read.Inspect(read.root, "");
            return read;
        }
        catch (JsonException e)
        {
            throw new ArgumentException($"The schema is not valid JSON: {e.Message}", nameof(schema), e);
        }
    }

    /// <summary>What is wrong with a value and where, or null if it satisfies the schema.</summary>
    public string? FirstProblem(JsonElement value) => Problem(root, value, "", 0);

    private void Inspect(JsonElement schema, string path)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return;
        if (schema.ValueKind != JsonValueKind.Object)
            throw new ArgumentException($"Schema {(path.Length == 0 ? "(root)" : path)}: a schema is an object, true or false.");
        foreach (var keyword in schema.EnumerateObject())
        {
            var (name, value, place) = (keyword.Name, keyword.Value, $"{path}/{keyword.Name}");
            RequireKind(name, value, place);
            if (Schemas.Contains(name))
                Inspect(value, place);
            else if (Lists.Contains(name))
                foreach (var (i, item) in value.EnumerateArray().Index())
                    Inspect(item, $"{place}/{i}");
            else if (Maps.Contains(name))
                foreach (var item in value.EnumerateObject())
                    Inspect(item.Value, $"{place}/{item.Name}");
            else if (name == "$ref")
                Follow(value.GetString() ?? "", place);
            else if (name == "pattern")
                Pattern(value.GetString() ?? "", place);
            else if (!Checks.Contains(name) && !Annotations.Contains(name))
                throw new ArgumentException($"Schema {path}: \"{name}\" is not checked here; remove it, or the check would promise more than it does.");
        }
        foreach (var named in schema.TryGetProperty("patternProperties", out var patterns) ? patterns.EnumerateObject().Select(p => p.Name) : [])
            Pattern(named, path);
    }

    private static void RequireKind(string keyword, JsonElement value, string place)
    {
        JsonValueKind[] expected = keyword switch
        {
            "$ref" or "pattern" => [JsonValueKind.String],
            "type" => [JsonValueKind.String, JsonValueKind.Array],
            "required" or "enum" or "allOf" or "anyOf" or "oneOf" or "prefixItems" => [JsonValueKind.Array],
            "dependentRequired" => [JsonValueKind.Object],
            "uniqueItems" => [JsonValueKind.True, JsonValueKind.False],
            "const" => [],
            _ when Maps.Contains(keyword) => [JsonValueKind.Object],
            _ when Checks.Contains(keyword) => [JsonValueKind.Number],
            _ => [],
        };
        if (expected.Length > 0 && !expected.Contains(value.ValueKind))
            throw new ArgumentException($"Schema {place}: is {Kind(value)}; expected {string.Join(" or ", expected).ToLowerInvariant()}.");
        if (keyword == "multipleOf" && value.GetDouble() <= 0)
            throw new ArgumentException($"Schema {place}: must be above 0.");
    }

    private string? Problem(JsonElement schema, JsonElement value, string at, int depth)
    {
        if (depth > MaxDepth)
            return $"{Place(at)}: more than {MaxDepth} levels.";
        if (schema.ValueKind != JsonValueKind.Object)
            return schema.ValueKind == JsonValueKind.True ? null : $"{Place(at)}: no value is allowed.";
        foreach (var keyword in schema.EnumerateObject())
        {
            if (OfAny(schema, keyword.Name, keyword.Value, value, at, depth) is { } problem)
                return problem;
            var found = value.ValueKind switch
            {
                JsonValueKind.Object => OfObject(schema, keyword.Name, keyword.Value, value, at, depth),
                JsonValueKind.Array => OfArray(schema, keyword.Name, keyword.Value, value, at, depth),
                JsonValueKind.String => OfString(keyword.Name, keyword.Value, value.GetString()!, at),
                JsonValueKind.Number => OfNumber(keyword.Name, keyword.Value, value, at),
                _ => null,
            };
            if (found is not null)
                return found;
        }
        return null;
    }

    private string? OfAny(JsonElement schema, string keyword, JsonElement wanted, JsonElement value, string at, int depth)
    {
        string? Check(JsonElement s) => Problem(s, value, at, depth + 1);
        switch (keyword)
        {
            case "$ref":
                return Check(Follow(wanted.GetString()!, at));
            case "type":
                var types = wanted.ValueKind == JsonValueKind.Array ? wanted.EnumerateArray().Select(t => t.GetString()) : [wanted.GetString()];
                return types.Any(t => Is(value, t)) ? null : $"{Place(at)}: is {Kind(value)}, expected {wanted}.";
            case "const":
                return JsonElement.DeepEquals(value, wanted) ? null : $"{Place(at)}: is not {wanted.GetRawText()}.";
            case "enum":
                return wanted.EnumerateArray().Any(v => JsonElement.DeepEquals(v, value)) ? null : $"{Place(at)}: is none of the listed values.";
            case "allOf":
                return wanted.EnumerateArray().Select(Check).FirstOrDefault(p => p is not null);
            case "anyOf":
                return wanted.EnumerateArray().Any(s => Check(s) is null) ? null : $"{Place(at)}: satisfies none of anyOf.";
            case "oneOf":
                var satisfied = wanted.EnumerateArray().Count(s => Check(s) is null);
                return satisfied == 1 ? null : $"{Place(at)}: satisfies {satisfied} of oneOf, expected one.";
            case "not":
                return Check(wanted) is null ? $"{Place(at)}: satisfies what it must not." : null;
            case "if":
                return schema.TryGetProperty(Check(wanted) is null ? "then" : "else", out var branch) ? Check(branch) : null;
            default:
                return null;
        }
    }

    private string? OfObject(JsonElement schema, string keyword, JsonElement wanted, JsonElement value, string at, int depth)
    {
        switch (keyword)
        {
            case "required":
                return Absent(wanted, value) is { } missing ? $"{Place(at)}: \"{missing}\" is missing." : null;
            case "minProperties" or "maxProperties":
                return Bound(keyword, wanted, value.EnumerateObject().Count(), "properties", at);
            case "dependentRequired":
                return wanted.EnumerateObject().Where(d => value.TryGetProperty(d.Name, out _)).Select(d => Absent(d.Value, value)).FirstOrDefault(m => m is not null) is { } needed
                    ? $"{Place(at)}: \"{needed}\" is missing."
                    : null;
            case "dependentSchemas":
                return wanted.EnumerateObject().Where(d => value.TryGetProperty(d.Name, out _)).Select(d => Problem(d.Value, value, at, depth + 1)).FirstOrDefault(p => p is not null);
            case "propertyNames":
                return value.EnumerateObject().Select(p => Problem(wanted, JsonSerializer.SerializeToElement(p.Name), $"{at}/{p.Name}", depth + 1)).FirstOrDefault(p => p is not null);
            case "properties" or "patternProperties" or "additionalProperties":
                return value.EnumerateObject().SelectMany(p => Applied(schema, keyword, wanted, p.Name).Select(s => Problem(s, p.Value, $"{at}/{p.Name}", depth + 1))).FirstOrDefault(p => p is not null);
            default:
                return null;
        }
    }

    private static IEnumerable<JsonElement> Applied(JsonElement schema, string keyword, JsonElement wanted, string name)
    {
        if (keyword == "properties")
            return wanted.TryGetProperty(name, out var own) ? [own] : [];
        if (keyword == "patternProperties")
            return wanted.EnumerateObject().Where(p => Pattern(p.Name, "").IsMatch(name)).Select(p => p.Value);
        var known = schema.TryGetProperty("properties", out var properties) && properties.TryGetProperty(name, out _)
            || schema.TryGetProperty("patternProperties", out var patterns) && patterns.EnumerateObject().Any(p => Pattern(p.Name, "").IsMatch(name));
        return known ? [] : [wanted];
    }

    private string? OfArray(JsonElement schema, string keyword, JsonElement wanted, JsonElement value, string at, int depth)
    {
        switch (keyword)
        {
            case "minItems" or "maxItems":
                return Bound(keyword, wanted, value.GetArrayLength(), "items", at);
            case "uniqueItems":
                var items = value.EnumerateArray().ToList();
                var repeated = wanted.ValueKind == JsonValueKind.True && items.Index().Any(i => items.Take(i.Index).Any(other => JsonElement.DeepEquals(other, i.Item)));
                return repeated ? $"{Place(at)}: an item is repeated." : null;
            case "prefixItems":
                return value.EnumerateArray().Zip(wanted.EnumerateArray()).Select((p, i) => Problem(p.Second, p.First, $"{at}/{i}", depth + 1)).FirstOrDefault(p => p is not null);
            case "items":
                var before = schema.TryGetProperty("prefixItems", out var prefix) ? prefix.GetArrayLength() : 0;
                return value.EnumerateArray().Index().Skip(before).Select(i => Problem(wanted, i.Item, $"{at}/{i.Index}", depth + 1)).FirstOrDefault(p => p is not null);
            case "contains":
                var matching = value.EnumerateArray().Count(v => Problem(wanted, v, at, depth + 1) is null);
                var least = schema.TryGetProperty("minContains", out var min) ? min.GetDouble() : 1;
                var most = schema.TryGetProperty("maxContains", out var max) ? max.GetDouble() : double.PositiveInfinity;
                return matching >= least && matching <= most ? null : $"{Place(at)}: {matching} items satisfy \"contains\".";
            default:
                return null;
        }
    }

    private static string? OfString(string keyword, JsonElement wanted, string value, string at) => keyword switch
    {
        "minLength" or "maxLength" => Bound(keyword, wanted, value.EnumerateRunes().Count(), "characters", at),
        "pattern" => Pattern(wanted.GetString()!, at).IsMatch(value) ? null : $"{Place(at)}: does not match {wanted}.",
        _ => null,
    };

    private static string? OfNumber(string keyword, JsonElement wanted, JsonElement value, string at)
    {
        if (keyword is not ("minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum" or "multipleOf"))
            return null;
        // Decimal where it fits, so that 0.3 is a multiple of 0.1.
        var passes = value.TryGetDecimal(out var x) && wanted.TryGetDecimal(out var limit)
            ? keyword switch { "minimum" => x >= limit, "maximum" => x <= limit, "exclusiveMinimum" => x > limit, "exclusiveMaximum" => x < limit, _ => x % limit == 0 }
            : (value.GetDouble(), wanted.GetDouble()) is var (a, b) && keyword switch { "minimum" => a >= b, "maximum" => a <= b, "exclusiveMinimum" => a > b, "exclusiveMaximum" => a < b, _ => a % b == 0 };
        return passes ? null : $"{Place(at)}: {value.GetRawText()} is outside {keyword} {wanted.GetRawText()}.";
    }

    private static string? Bound(string keyword, JsonElement wanted, int count, string what, string at) =>
        (keyword.StartsWith("min", StringComparison.Ordinal) ? count >= wanted.GetDouble() : count <= wanted.GetDouble())
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"{Place(at)}: has {count} {what}, {keyword} is {wanted}.");

    private static string? Absent(JsonElement names, JsonElement value) => names.EnumerateArray().Select(n => n.GetString()!).FirstOrDefault(n => !value.TryGetProperty(n, out _));

    private JsonElement Follow(string reference, string place)
    {
        if (reference != "#" && !reference.StartsWith("#/", StringComparison.Ordinal))
            throw new ArgumentException($"Schema {place}: only references within the schema (#/…) are followed, not \"{reference}\".");
        var found = root;
        foreach (var step in reference.Split('/').Skip(1).Select(s => Uri.UnescapeDataString(s).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)))
        {
            if (found.ValueKind == JsonValueKind.Object && found.TryGetProperty(step, out var member))
                found = member;
            else if (found.ValueKind == JsonValueKind.Array && int.TryParse(step, CultureInfo.InvariantCulture, out var i) && i < found.GetArrayLength())
                found = found[i];
            else
                throw new ArgumentException($"Schema {place}: \"{reference}\" leads nowhere.");
        }
        return found;
    }

    // ECMA-262 is what the standard names; .NET's ECMAScript mode lacks look-behind and Unicode classes, so its own flavour is used.
    private static Regex Pattern(string pattern, string place)
    {
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, Patience);
        }
        catch (RegexParseException e)
        {
            throw new ArgumentException($"Schema {place}: the pattern is not valid: {e.Message}", e);
        }
    }

    private static bool Is(JsonElement value, string? type) => type switch
    {
        "integer" => value.ValueKind == JsonValueKind.Number && (value.TryGetDecimal(out var d) ? d == decimal.Truncate(d) : value.GetDouble() == Math.Floor(value.GetDouble())),
        _ => type == Kind(value),
    };

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.String => "string",
        JsonValueKind.Number => "number",
        JsonValueKind.Null => "null",
        _ => "boolean",
    };

    private static string Place(string at) => at.Length == 0 ? "the value" : at;
}

using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Tests.Inference.Constraints;

/// <summary>Validates a value the plain way, written apart from the product's compiler.</summary>
internal static class SchemaCheck
{
    public static bool IsValid(JsonElement schema, JsonElement value, JsonElement root)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return schema.ValueKind == JsonValueKind.True;
        return schema.EnumerateObject().All(k => Holds(schema, k.Name, k.Value, value, root));
    }

    private static bool Holds(JsonElement schema, string keyword, JsonElement argument, JsonElement value, JsonElement root)
    {
        bool Valid(JsonElement s, JsonElement v) => IsValid(s, v, root);
        switch (keyword)
        {
            case "$ref":
                var target = argument.GetString()!.Split('/').Skip(1).Aggregate(root, (e, part) => e.GetProperty(part));
                return Valid(target, value);
            case "type":
                return argument.ValueKind == JsonValueKind.Array ? argument.EnumerateArray().Any(t => Is(t.GetString()!, value)) : Is(argument.GetString()!, value);
            case "enum":
                return argument.EnumerateArray().Any(v => JsonElement.DeepEquals(v, value));
            case "const":
                return JsonElement.DeepEquals(argument, value);
            case "allOf":
                return argument.EnumerateArray().All(s => Valid(s, value));
            case "anyOf" or "oneOf": // as the product documents
                return argument.EnumerateArray().Any(s => Valid(s, value));
        }
        return value.ValueKind switch
        {
            JsonValueKind.String => OfString(keyword, argument, value.GetString()!),
            JsonValueKind.Number => !keyword.EndsWith("imum", StringComparison.Ordinal) || OfNumber(keyword, argument, decimal.Parse(value.GetRawText(), NumberStyles.Float, CultureInfo.InvariantCulture)),
            JsonValueKind.Array => OfArray(schema, keyword, argument, [.. value.EnumerateArray()], Valid),
            JsonValueKind.Object => OfObject(schema, keyword, argument, value, Valid),
            _ => true,
        };
    }

    private static bool OfString(string keyword, JsonElement argument, string text) => keyword switch
    {
        "minLength" => text.EnumerateRunes().Count() >= argument.GetInt32(),
        "maxLength" => text.EnumerateRunes().Count() <= argument.GetInt32(),
        "pattern" => Regex.IsMatch(text, argument.GetString()!.Replace("$", "\\z", StringComparison.Ordinal)),
        "format" => argument.GetString() switch
        {
            "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
            "date-time" => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out _),
            "uuid" => Guid.TryParseExact(text, "D", out _),
            _ => true,
        },
        _ => true,
    };

    private static bool OfNumber(string keyword, JsonElement argument, decimal number) => keyword switch
    {
        "minimum" => number >= argument.GetDecimal(),
        "maximum" => number <= argument.GetDecimal(),
        "exclusiveMinimum" => number > argument.GetDecimal(),
        "exclusiveMaximum" => number < argument.GetDecimal(),
        _ => true,
    };

    private static bool OfArray(JsonElement schema, string keyword, JsonElement argument, List<JsonElement> items, Func<JsonElement, JsonElement, bool> valid) => keyword switch
    {
        "minItems" => items.Count >= argument.GetInt32(),
        "maxItems" => items.Count <= argument.GetInt32(),
        "prefixItems" => items.Zip(argument.EnumerateArray()).All(p => valid(p.Second, p.First)),
        "items" => items.Skip(schema.TryGetProperty("prefixItems", out var prefix) ? prefix.GetArrayLength() : 0).All(i => valid(argument, i)),
        _ => true,
    };

    private static bool OfObject(JsonElement schema, string keyword, JsonElement argument, JsonElement value, Func<JsonElement, JsonElement, bool> valid) => keyword switch
    {
        "required" => argument.EnumerateArray().All(n => value.TryGetProperty(n.GetString()!, out _)),
        "properties" => argument.EnumerateObject().All(p => value.EnumerateObject().Where(m => m.Name == p.Name).All(m => valid(p.Value, m.Value))),
        "additionalProperties" => value.EnumerateObject()
            .Where(m => !(schema.TryGetProperty("properties", out var own) && own.TryGetProperty(m.Name, out _))).All(m => valid(argument, m.Value)),
        _ => true,
    };

    private static bool Is(string type, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => type == "null",
        JsonValueKind.True or JsonValueKind.False => type == "boolean",
        JsonValueKind.String => type == "string",
        JsonValueKind.Object => type == "object",
        JsonValueKind.Array => type == "array",
        _ => type == "number" || (type == "integer" && value.GetDouble() == Math.Floor(value.GetDouble())),
    };
}

using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Pipelines.Stages;

public enum FieldType { Text, Integer, Number, Flag, List }

/// <summary>One parameter as forms, help and checks see it.</summary>
public sealed record StageField(string Name, string Label, FieldType Type, string Help, string? Unit, double? Min, double? Max,
    IReadOnlyList<string>? Allowed, bool Required, bool Reference, object? Default);

public sealed record FieldProblem(string Path, string Message);

/// <summary>Reads the parameter records' own properties; there is no second description of a stage anywhere.</summary>
public static class StageFields
{
    public static IReadOnlyList<StageField> Of(StageKind kind)
    {
        var defaults = Activator.CreateInstance(kind.Parameters)!;
        return [.. kind.Parameters.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(p => (Property: p, Field: p.GetCustomAttribute<FieldAttribute>()))
            .Where(x => x.Field is not null)
            .Select(x => Describe(x.Property, x.Field!, x.Property.GetValue(defaults)))];
    }

    private static StageField Describe(PropertyInfo property, FieldAttribute field, object? value)
    {
        var name = JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);
        var type = property.PropertyType == typeof(int) ? FieldType.Integer
            : property.PropertyType == typeof(double) ? FieldType.Number
            : property.PropertyType == typeof(bool) ? FieldType.Flag
            : property.PropertyType == typeof(string) ? FieldType.Text : FieldType.List;
        var label = field.Label ?? char.ToUpperInvariant(name[0]) + name[1..].Replace('_', ' ');
        return new StageField(name, label, type, field.Help, field.Unit, double.IsNaN(field.Min) ? null : field.Min,
            double.IsNaN(field.Max) ? null : field.Max, field.Allowed, field.Required, field.Reference, value);
    }

    /// <summary>Checks values against the record and returns them typed; every problem is found, not only the first.</summary>
    public static JsonObject Check(StageKind kind, IReadOnlyDictionary<string, object?> values, string path, List<FieldProblem> problems)
    {
        var fields = Of(kind);
        var before = problems.Count;
        foreach (var name in values.Keys.Where(n => fields.All(f => f.Name != n)))
            problems.Add(new($"{path}.{name}", $"{kind.Name} has no parameter '{name}'. Allowed: {string.Join(", ", fields.Select(f => f.Name))}."));
        var result = new JsonObject();
        foreach (var field in fields)
        {
            if (values.TryGetValue(field.Name, out var value) && value is not null)
            {
                if (Convert(field, value, $"{path}.{field.Name}", problems) is { } node)
                    result[field.Name] = node;
            }
            else if (field.Required)
            {
                problems.Add(new($"{path}.{field.Name}", $"'{field.Name}' is missing: {field.Help}"));
            }
        }
        if (problems.Count == before)
            problems.AddRange(Bind(kind, result.ToJsonString()).Problems().Select(p => new FieldProblem($"{path}.{p.Path}", p.Message)));
        return result;
    }

    private static JsonNode? Convert(StageField field, object value, string path, List<FieldProblem> problems)
    {
        if (field.Type == FieldType.List)
        {
            if (value is not (string or bool or int or long or double or IEnumerable<object?>))
            {
                problems.Add(new(path, "a list of plain values is expected here."));
                return null;
            }
            var items = value is IEnumerable<object?> list ? list.Select(i => i?.ToString() ?? "").ToList() : [value.ToString() ?? ""];
            // "rules: []" and "rules:" alone are as much nothing as leaving the key out.
            if (field.Required && items.All(string.IsNullOrWhiteSpace))
                problems.Add(new(path, $"'{field.Name}' is empty: {field.Help}"));
            if (field.Allowed is not null && items.FirstOrDefault(i => !field.Allowed.Contains(i)) is { } wrong)
                problems.Add(new(path, $"'{wrong}' is not allowed. Allowed: {string.Join(", ", field.Allowed)}."));
            return new JsonArray([.. items.Select(i => (JsonNode)JsonValue.Create(i))]);
        }
        if (value is not string and not bool and not int and not long and not double)
        {
            problems.Add(new(path, "one value is expected here, not a list or a mapping."));
            return null;
        }
        var text = System.Convert.ToString(value, CultureInfo.InvariantCulture)!;
        switch (field.Type)
        {
            case FieldType.Text:
                if (field.Required && text.Length == 0)
                    problems.Add(new(path, $"'{field.Name}' is empty: {field.Help}"));
                if (field.Allowed is not null && !field.Allowed.Contains(text))
                    problems.Add(new(path, $"'{text}' is not allowed. Allowed: {string.Join(", ", field.Allowed)}."));
                return JsonValue.Create(text);
            case FieldType.Flag:
                if (bool.TryParse(text, out var flag))
                    return JsonValue.Create(flag);
                problems.Add(new(path, $"'{text}' is neither true nor false."));
                return null;
            default:
                if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number)
                    || (field.Type == FieldType.Integer && number != Math.Floor(number)))
                {
                    problems.Add(new(path, $"'{text}' is not {(field.Type == FieldType.Integer ? "a whole number" : "a number")}."));
                    return null;
                }
                if (number < field.Min || number > field.Max)
                    problems.Add(new(path, string.Create(CultureInfo.InvariantCulture, $"{text} is outside {field.Min} … {field.Max}{(field.Unit is null ? "" : " " + field.Unit)}.")));
                return field.Type == FieldType.Integer ? JsonValue.Create((long)number) : JsonValue.Create(number);
        }
    }

    public static StageParameters Bind(StageKind kind, string json) =>
        (StageParameters)(JsonSerializer.Deserialize(json, kind.Parameters, Json.Options) ?? throw new InvalidOperationException("Stage parameters are null."));
}

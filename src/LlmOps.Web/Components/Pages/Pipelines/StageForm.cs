using System.Globalization;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>A stage's own field descriptors as a form, and the form's text back as YAML.</summary>
public static class StageForm
{
    public static IReadOnlyList<ParameterField> Fields(StageKind kind)
    {
        var fields = StageFields.Of(kind).Select(f => Field(f, typeof(TrainingParameters).IsAssignableFrom(kind.Parameters)));
        return [.. fields.OrderBy(f => TrainingFieldGroups.Place(f.Group))];
    }

    private static ParameterField Field(StageField f, bool training) => new(f.Name, KindOf(f))
    {
        Group = training ? TrainingFieldGroups.Of(f.Name) : null, GroupOpen = training && TrainingFieldGroups.IsOpen(TrainingFieldGroups.Of(f.Name)),
        Label = f.Label, Unit = f.Unit, Min = f.Min, Max = f.Max, Required = f.Required, Allowed = f.Type == FieldType.List ? [] : f.Allowed ?? [],
        Default = Text(f.Default) is { Length: > 0 } text ? text : null,
        Help = f.Help + (f.Reference ? " A name, or ${stage.output}." : "") + (f.Type == FieldType.List ? " One in each line." : "") + (f.Type == FieldType.List && f.Allowed is { } allowed ? $" Allowed: {string.Join(", ", allowed)}." : ""),
    };

    /// <summary>Parameters as a form holds them: lists one item in each line.</summary>
    public static IReadOnlyDictionary<string, string> Values(JsonObject parameters) => parameters.ToDictionary(p => p.Key, p => p.Value switch
    {
        JsonArray list => string.Join('\n', list.Select(i => i?.ToString())),
        JsonValue value when value.TryGetValue<bool>(out var flag) => flag ? "true" : "false",
        { } value => value.ToString(),
        null => "",
    });

    /// <summary>Null takes the parameter out of the document: the default counts again.</summary>
    public static string? ToYaml(StageField field, string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        return field.Type switch
        {
            FieldType.Integer or FieldType.Number or FieldType.Flag => text,
            FieldType.List => "[" + string.Join(", ", text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Quoted)) + "]",
            _ => Quoted(text),
        };
    }

    private static string Quoted(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/') && char.IsAsciiLetter(text[0]) && text is not ("true" or "false" or "null" or "yes" or "no" or "on" or "off")
            ? text : "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal) + "\"";

    private static ParameterKind KindOf(StageField field) => field.Type switch
    {
        FieldType.Integer => ParameterKind.Integer,
        FieldType.Number => ParameterKind.Number,
        FieldType.Flag => ParameterKind.Boolean,
        FieldType.List => ParameterKind.Multiline,
        _ => field.Allowed is null ? ParameterKind.Text : ParameterKind.Choice,
    };

    private static string? Text(object? value) => value switch
    {
        null => null,
        bool flag => flag ? "true" : "false",
        IEnumerable<string> list => string.Join('\n', list),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture),
    };
}

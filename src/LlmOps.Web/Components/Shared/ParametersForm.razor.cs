using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>A form made of <see cref="ParameterField"/>: label, unit, default, range, help, the error at the field; the same as YAML and as a CLI line.</summary>
public sealed partial class ParametersForm
{
    private readonly string prefix = "p" + Guid.NewGuid().ToString("N")[..6] + "-";
    private readonly HashSet<string> touched = [];
    private bool yaml;

    [Parameter, EditorRequired] public IReadOnlyList<ParameterField> Fields { get; set; } = [];
    /// <summary>Only what differs from the defaults need be in it.</summary>
    [Parameter, EditorRequired] public IReadOnlyDictionary<string, string> Values { get; set; } = new Dictionary<string, string>();
    [Parameter] public EventCallback<IReadOnlyDictionary<string, string>> ValuesChanged { get; set; }
    /// <summary>What the use case refused, by field name.</summary>
    [Parameter] public IReadOnlyDictionary<string, string>? Errors { get; set; }
    /// <summary>Start of the CLI line: <c>llmops pipelines start quickstart</c>.</summary>
    [Parameter] public string? CommandPrefix { get; set; }
    /// <summary>Where the page shows the whole document as YAML itself.</summary>
    [Parameter] public bool FormOnly { get; set; }

    /// <summary>Checks every field and shows what is wrong; true when nothing is.</summary>
    public bool Validate()
    {
        touched.UnionWith(Fields.Select(f => f.Name));
        StateHasChanged();
        return Fields.All(f => f.Check(Value(f)) is null);
    }

    private string YamlText => string.Join('\n', Fields.Where(f => Value(f) is { Length: > 0 }).Select(f => $"{f.Name}: {Scalar(f, Value(f)!)}"));

    private string CommandText => CommandPrefix + string.Concat(Fields.Where(f => Values.ContainsKey(f.Name)).Select(f => $" --{f.Name} {ShellQuoted(Values[f.Name])}"));

    /// <summary>What a person has changed is never hidden from him.</summary>
    private bool IsOpen(IEnumerable<ParameterField> group) => group.Any(f => f.GroupOpen || touched.Contains(f.Name));

    private string? Value(ParameterField field) => Values.TryGetValue(field.Name, out var value) ? value : field.Default;

    private string? ErrorOf(ParameterField field) =>
        touched.Contains(field.Name) && field.Check(Value(field)) is { } error ? error : Errors is not null && Errors.TryGetValue(field.Name, out var refused) ? refused : null;

    private Task SetAsync(ParameterField field, string? value)
    {
        touched.Add(field.Name);
        var next = Values.ToDictionary(v => v.Key, v => v.Value);
        if (string.IsNullOrWhiteSpace(value)) next.Remove(field.Name); else next[field.Name] = value.Trim();
        Values = next;
        return ValuesChanged.InvokeAsync(next);
    }

    private static string Scalar(ParameterField field, string value) =>
        field.Kind is ParameterKind.Integer or ParameterKind.Number or ParameterKind.Boolean || PlainScalar().IsMatch(value) ? value : "'" + value.Replace("'", "''") + "'";

    private static string ShellQuoted(string value) => ShellWord().IsMatch(value) ? value : "'" + value.Replace("'", "'\\''") + "'";

    [GeneratedRegex("^(?!(true|false|null|yes|no|on|off)$)[A-Za-z][A-Za-z0-9_./-]*$", RegexOptions.IgnoreCase)]
    private static partial Regex PlainScalar();

    [GeneratedRegex("^[A-Za-z0-9_./:=+-]+$")]
    private static partial Regex ShellWord();
}

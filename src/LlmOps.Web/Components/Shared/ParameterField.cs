using System.Globalization;

namespace LlmOps.Web.Components.Shared;

public enum ParameterKind { Text, Multiline, Integer, Number, Boolean, Choice }

/// <summary>One parameter as a form shows it; made from a stage's parameter record. Values are invariant text, as in YAML.</summary>
public sealed record ParameterField(string Name, ParameterKind Kind)
{
    public string Label { get; init; } = Name;
    public string? Unit { get; init; }
    public string? Default { get; init; }
    public double? Min { get; init; }
    public double? Max { get; init; }
    public IReadOnlyList<string> Allowed { get; init; } = [];
    public string? Help { get; init; }
    public bool Required { get; init; }
    /// <summary>Fields of one group stand together under its name; null in a form without groups.</summary>
    public string? Group { get; init; }
    /// <summary>Whether the group is unfolded at first.</summary>
    public bool GroupOpen { get; init; }

    public string? RangeText => (Min, Max) switch
    {
        ({ } low, { } high) => $"{Display.Short(low, 6)} to {Display.Short(high, 6)}",
        ({ } low, null) => $"at least {Display.Short(low, 6)}",
        (null, { } high) => $"at most {Display.Short(high, 6)}",
        _ => null,
    };

    /// <summary>What is wrong with a value, in words; null when nothing is.</summary>
    public string? Check(string? value)
    {
        if (string.IsNullOrWhiteSpace(value)) return Required ? $"{Label} is needed." : null;
        switch (Kind)
        {
            case ParameterKind.Integer when !long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _):
                return $"{Label} is a whole number.";
            case ParameterKind.Number when !double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) || !double.IsFinite(parsed):
                return $"{Label} is a number, with a point before decimals.";
            case ParameterKind.Integer or ParameterKind.Number:
                var number = double.Parse(value, CultureInfo.InvariantCulture);
                return number < Min || number > Max ? $"{Label} is {RangeText}." : null;
            case ParameterKind.Choice when !Allowed.Contains(value):
                return $"{Label} is one of {string.Join(", ", Allowed)}.";
            default:
                return null;
        }
    }
}

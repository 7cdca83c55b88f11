using System.Globalization;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Sweeps.Search;

namespace LlmOps.Web.Components.Pages.Sweeps;

/// <summary>One parameter in the form: ticked or not, and what may be tried, as it was typed.</summary>
public sealed class DimensionDraft(StageField field, string? current)
{
    public StageField Field { get; } = field;
    /// <summary>What the pipeline says now.</summary>
    public string Current { get; } = current ?? (field.Default is bool flag ? flag ? "true" : "false" : Convert.ToString(field.Default, CultureInfo.InvariantCulture)) ?? "";
    public bool IsOn { get; set; }
    public string Kind { get; set; } = field.Type switch { FieldType.Number => "log", FieldType.Integer => "int", _ => "choice" };
    public string Low { get; set; } = "";
    public string High { get; set; } = "";
    public string Values { get; set; } = "";
    /// <summary>Step of an int range, points of the others; empty for the usual.</summary>
    public string Fineness { get; set; } = "";

    public IReadOnlyList<string> Kinds => Field.Type switch { FieldType.Number => ["log", "float", "choice"], FieldType.Integer => ["int", "log", "choice"], _ => ["choice"] };

    public static string Word(string kind) => kind switch { "log" => "range, logarithmic", "float" => "range", "int" => "whole numbers", _ => "these values" };

    /// <summary>A range around what the pipeline says: an order of magnitude where that is sensible.</summary>
    public void Suggest()
    {
        if (Field.Type is FieldType.Flag)
            Values = "true, false";
        else if (Field.Allowed is { } allowed)
            Values = string.Join(", ", allowed);
        else if (double.TryParse(Current, NumberStyles.Float, CultureInfo.InvariantCulture, out var now))
            Suggest(now);
    }

    private void Suggest(double now)
    {
        if (Kind == "log" && now <= 0)
            Kind = "float";
        var (low, high) = Kind switch
        {
            "log" => (now / 10, now * 10),
            "int" => (Math.Floor(now / 2), Math.Max(now * 2, now + 1)),
            _ => (0, now > 0 ? now * 2 : 0.1),
        };
        Low = SearchText(Math.Clamp(low, Field.Min ?? low, Field.Max ?? low));
        High = SearchText(Math.Clamp(high, Field.Min ?? high, Field.Max ?? high));
        Values = $"{SearchText(now)}, {High}";
    }

    public void Take(SearchDimension dimension)
    {
        IsOn = true;
        switch (dimension)
        {
            case ChoiceDimension choice:
                (Kind, Values) = ("choice", string.Join(", ", choice.Values));
                break;
            case RangeDimension range:
                Kind = range switch { IntDimension => "int", LogDimension => "log", _ => "float" };
                (Low, High) = (SearchText(range.Min), SearchText(range.Max));
                Fineness = range switch { IntDimension { Step: > 1 } i => SearchText(i.Step), LogDimension { Points: not 5 } l => SearchText(l.Points), FloatDimension { Points: not 5 } f => SearchText(f.Points), _ => "" };
                break;
        }
    }

    /// <summary>As one line of the YAML's space.</summary>
    public string ToYaml()
    {
        if (Kind == "choice")
            return $"[{string.Join(", ", Values.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Scalar))}]";
        var fineness = Fineness.Trim().Length == 0 ? "" : $", {(Kind == "int" ? "step" : "points")}: {Scalar(Fineness.Trim())}";
        return $"{{{Kind}: [{Scalar(Low.Trim())}, {Scalar(High.Trim())}]{fineness}}}";
    }

    internal static string Scalar(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or '+') && text[0] != '-' ? text : "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).ReplaceLineEndings(" ") + "\"";

    private static string SearchText(double value) => value.ToString("0.######e+0", CultureInfo.InvariantCulture) is var exact && Math.Abs(value) is > 0 and < 1e-3 ? exact : value.ToString("0.######", CultureInfo.InvariantCulture);
}

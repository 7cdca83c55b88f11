using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>
/// The number a worked answer ends with, as GSM8K marks it (Cobbe et al. 2021): the one after the last "####", else the last number of the text.
/// Thousands separators, dollar signs and a full stop at the end are no part of it.
/// </summary>
/// <remarks>Numbers are compared by value, so 18 equals 18.00; lm-evaluation-harness compares the characters.</remarks>
public static partial class NumberAnswer
{
    private const string Mark = "####";

    /// <summary>The number as written without separators, or null if the text has none.</summary>
    public static string? Find(string text)
    {
        var marked = text.LastIndexOf(Mark, StringComparison.Ordinal);
        if (marked >= 0 && Numbers().Match(text, marked + Mark.Length) is { Success: true } first)
            return Clean(first.Value);
        return Numbers().Matches(text) is { Count: > 0 } all ? Clean(all[^1].Value) : null;
    }

    /// <summary>1 if both texts end with the same number, else 0; a text without a number is wrong.</summary>
    /// <exception cref="ArgumentException">The reference has no number.</exception>
    public static double Match(string answer, string reference)
    {
        var wanted = Find(reference) ?? throw new ArgumentException($"The reference \"{reference}\" has no number; a number task needs one in each.");
        return Find(answer) is { } found && Same(found, wanted) ? 1 : 0;
    }

    private static bool Same(string a, string b) =>
        decimal.TryParse(a, NumberStyles.Number, CultureInfo.InvariantCulture, out var x) && decimal.TryParse(b, NumberStyles.Number, CultureInfo.InvariantCulture, out var y)
            ? x == y
            : a == b;

    private static string Clean(string number) => number.Replace(",", "", StringComparison.Ordinal).Replace("$", "", StringComparison.Ordinal).TrimEnd('.');

    // Starts at a digit, so that the comma or the full stop of a sentence is not taken for a number.
    [GeneratedRegex(@"-?\$?\.?[0-9][0-9,]*(?:\.[0-9]+)?")]
    private static partial Regex Numbers();
}

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

    /// <summary>1 if both texts end with the same number, |answer − reference| ≤ max(absolute, relative · |reference|), else 0; a text without a number is wrong.</summary>
    /// <param name="answer">The model's text.</param>
    /// <param name="reference">The right answer.</param>
    /// <param name="absolute">Difference that still counts as the same, in the number's unit.</param>
    /// <param name="relative">The same as a share of the reference.</param>
    /// <exception cref="ArgumentException">The reference has no number, or a tolerance is below 0 or not finite.</exception>
    public static double Match(string answer, string reference, double absolute = 0, double relative = 0)
    {
        if (!(absolute >= 0 && relative >= 0) || double.IsInfinity(absolute) || double.IsInfinity(relative))
            throw new ArgumentException($"The tolerances {absolute} and {relative} must be 0 or more.");
        var wanted = Find(reference) ?? throw new ArgumentException($"The reference \"{reference}\" has no number; a number task needs one in each.");
        return Find(answer) is { } found && (Same(found, wanted) || Near(found, wanted, absolute, relative)) ? 1 : 0;
    }

    private static bool Same(string a, string b) =>
        decimal.TryParse(a, NumberStyles.Number, CultureInfo.InvariantCulture, out var x) && decimal.TryParse(b, NumberStyles.Number, CultureInfo.InvariantCulture, out var y)
            ? x == y
            : a == b;

    private static bool Near(string a, string b, double absolute, double relative)
    {
        var tolerance = Math.Max(absolute, relative * Math.Abs(Value(b)));
        // 0.3 is within 0.1 of 0.2, though their difference as binary fractions is a little more.
        return tolerance > 0 && Math.Abs(Value(a) - Value(b)) <= tolerance * (1 + 1e-12);
    }

    private static double Value(string number) => double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);

    private static string Clean(string number) => number.Replace(",", "", StringComparison.Ordinal).Replace("$", "", StringComparison.Ordinal).TrimEnd('.');

    // Starts at a digit, so that the comma or the full stop of a sentence is not taken for a number.
    [GeneratedRegex(@"-?\$?\.?[0-9][0-9,]*(?:\.[0-9]+)?")]
    private static partial Regex Numbers();
}

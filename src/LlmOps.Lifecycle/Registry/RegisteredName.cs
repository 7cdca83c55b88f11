using System.Globalization;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Lifecycle.Registry;

/// <summary>
/// Names that clients of the MLflow API give to what they register. They are wider than <see cref="ModelName"/>: capitals and spaces are usual there. What would
/// break an address or a "name/number" stays out.
/// </summary>
public static partial class RegisteredName
{
    public const int Longest = 256;

    public static string Parse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            throw LlmOpsException.Invalid("Registered model name cannot be empty.");
        var odd = text.Any(c => char.IsControl(c) || c is '/' or ':' or '\\' or '?' or '#' or '%' or '"' or '<' or '>') || text is "." or ".." || text[0] == ' ' || text[^1] == ' ' || !TrackingLimits.IsStorable(text);
        if (odd)
            throw LlmOpsException.Invalid($"Invalid model name: '{TrackingKeys.Shown(text)}'. A name has none of / : \\ ? # % \" < > in it, and no space at its ends.");
        return TrackingLimits.EnsureLength(text, "Registered model name", Longest);
    }

    /// <summary>An alias as MLflow allows it; what reads like a version number, or like "the newest", is none.</summary>
    public static string ParseAlias(string? text)
    {
        if (string.IsNullOrEmpty(text))
            throw LlmOpsException.Invalid("Registered model alias name cannot be empty.");
        TrackingLimits.EnsureLength(text, "Registered model alias name", 255);
        if (!AliasPattern().IsMatch(text))
            throw LlmOpsException.Invalid($"Invalid alias name: '{TrackingKeys.Shown(text)}'. Names may only contain letters, digits, underscores and dashes.");
        if (text.Equals("latest", StringComparison.OrdinalIgnoreCase))
            throw LlmOpsException.Invalid("'latest' alias name (case insensitive) is reserved.");
        if (VersionPattern().IsMatch(text))
            throw LlmOpsException.Invalid($"Version alias name '{text}' is reserved.");
        return text;
    }

    public static int ParseNumber(string? text) => int.TryParse(TrackingKeys.Required(text, "version"), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
        ? number : throw LlmOpsException.Invalid($"Model version must be an integer, got '{TrackingKeys.Shown(text!)}'");

    public static void EnsureTag(string? key, string? value)
    {
        TrackingLimits.EnsureKey(key, "tag");
        TrackingLimits.EnsureText(value, $"Tag value of '{key}'", TrackingLimits.RegistryTagValue);
    }

    [GeneratedRegex(@"^[\w\-]+\z")]
    private static partial Regex AliasPattern();

    [GeneratedRegex(@"^[vV]\d+\z")]
    private static partial Regex VersionPattern();
}

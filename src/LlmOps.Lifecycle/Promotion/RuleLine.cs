using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>A rule as one line of text, in pipelines.</summary>
public static partial class RuleLine
{
    public static PolicyRule? TryParse(string text)
    {
        var trimmed = text.Trim();
        if (trimmed == "parity passed")
            return new(PolicyRuleKind.Parity) { Written = trimmed };
        if (trimmed == "contamination zero")
            return new(PolicyRuleKind.Contamination) { Written = trimmed };
        var absolute = AbsolutePattern().Match(trimmed);
        if (absolute.Success)
            return Bound(absolute.Groups[3].Value) is { } bound ? new(PolicyRuleKind.Threshold, absolute.Groups[1].Value, absolute.Groups[2].Value, bound) { Written = trimmed } : null;
        var champion = ChampionPattern().Match(trimmed);
        return champion.Success && Bound(champion.Groups[2].Value) is { } margin ? new(PolicyRuleKind.NonInferiority, champion.Groups[1].Value, "", margin) { Written = trimmed } : null;
    }

    /// <summary>The patterns also match "1.2.3" and "1e999".</summary>
    private static double? Bound(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var bound) && double.IsFinite(bound) ? bound : null;

    [GeneratedRegex(@"^([A-Za-z0-9_]+(?:[.@-][A-Za-z0-9_]+)*)\s*(<=|>=|<|>)\s*(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)$")]
    private static partial Regex AbsolutePattern();

    [GeneratedRegex(@"^([A-Za-z0-9_]+(?:[.@-][A-Za-z0-9_]+)*)\s+no-worse-than\s+champion\s+by\s+([0-9.]+)$")]
    private static partial Regex ChampionPattern();
}

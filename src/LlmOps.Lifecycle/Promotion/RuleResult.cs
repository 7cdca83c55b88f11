namespace LlmOps.Lifecycle.Promotion;

/// <summary>What one rule of a gate said, in words and numbers.</summary>
/// <param name="Low">Of the interval at the policy's level, as <paramref name="High"/>.</param>
/// <param name="PValue">One-sided: how likely so bad a result would be, were the candidate exactly on the bound.</param>
/// <param name="AdjustedPValue">The same after the policy's correction over all of its rules.</param>
/// <param name="MoreRows">How many more rows would decide, when these cannot.</param>
public sealed record RuleResult(string Rule, Verdict Verdict, string Reason, double? Value = null, double? Low = null, double? High = null,
    double? PValue = null, double? AdjustedPValue = null, int? N = null, int? MoreRows = null);

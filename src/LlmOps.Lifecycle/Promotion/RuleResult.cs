namespace LlmOps.Lifecycle.Promotion;

/// <summary>What one rule of a gate said, in words and numbers.</summary>
public sealed record RuleResult(string Rule, Verdict Verdict, string Reason, double? Value = null, double? Low = null, double? High = null);

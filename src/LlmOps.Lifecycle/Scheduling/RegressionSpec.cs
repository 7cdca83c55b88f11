using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>What a regression schedule compares: "every night, production against last week's production, 500 rows".</summary>
public sealed record RegressionSpec
{
    /// <summary>What is watched: "alias:MODEL@NAME", "deployment:NAME" or "version:MODEL/NUMBER:VARIANT".</summary>
    public string Subject { get; init; } = "";
    /// <summary>What it is compared with: "previous" (the schedule's newest earlier firing that did not fail), "alias:MODEL@NAME" as it was <see cref="BaselineDays"/> ago, or "version:MODEL/NUMBER:VARIANT".</summary>
    public string Baseline { get; init; } = "previous";
    /// <summary>How many days back the holder of the baseline's alias is looked up.</summary>
    public int BaselineDays { get; init; } = 7;
    public string Suite { get; init; } = "quickstart";
    /// <summary>Version of the suite; null is the newest when the schedule fires.</summary>
    public int? SuiteNumber { get; init; }
    /// <summary>Dataset versions ("name/number") of the built-in tasks; all empty where the suite is a document that names its own.</summary>
    public string Corpus { get; init; } = "";
    public string Instructions { get; init; } = "";
    public string Preferences { get; init; } = "";
    /// <summary>Most rows of each built-in task; a suite document says itself how many it takes.</summary>
    public int Rows { get; init; } = 500;
    /// <summary>Gate rules; "champion" in a rule is the baseline.</summary>
    public IReadOnlyList<string> Rules { get; init; } = [];
    /// <summary>A gate policy in place of rules, "name" or "name/number".</summary>
    public string? Policy { get; init; }

    public bool IsBuiltIn => Corpus.Length + Instructions.Length + Preferences.Length > 0;

    public RegressionSpec Checked()
    {
        _ = RegressionSubject.Parse(Subject);
        if (Baseline != "previous" && RegressionSubject.Parse(Baseline).Deployment is not null)
            throw LlmOpsException.Invalid("A deployment cannot be a baseline: it has no history of versions. Use the alias it follows, a version, or 'previous'.");
        if (BaselineDays is < 0 or > 3650)
            throw LlmOpsException.Invalid($"{BaselineDays} days back is outside 0 … 3650.");
        if (Rows is < 10 or > 1_000_000)
            throw LlmOpsException.Invalid($"{Rows} rows are outside 10 … 1000000.");
        if (Suite.Length == 0)
            throw LlmOpsException.Invalid("The suite is missing. Name the suite whose runs are compared.");
        if (string.IsNullOrEmpty(Policy))
            PromotionGate.EnsureValid(Rules);
        else if (Rules.Count > 0)
            throw LlmOpsException.Invalid("Give rules or a policy, not both: which of them decides would be unclear.");
        return this;
    }
}

/// <summary>A subject or baseline as it was written, taken apart.</summary>
public sealed record RegressionSubject(string? Model = null, string? Alias = null, string? Deployment = null, VersionKey? Version = null, string? Variant = null)
{
    public static RegressionSubject Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var (kind, rest) = colon < 0 ? ("", text) : (text[..colon], text[(colon + 1)..]);
        switch (kind)
        {
            case "alias" when rest.Split('@') is [{ Length: > 0 } model, { Length: > 0 } alias]:
                return new(Model: ModelName.Parse(model), Alias: AliasName.Parse(alias));
            case "deployment" when rest.Length > 0:
                return new(Deployment: rest);
            case "version" when rest.Split(':') is [{ Length: > 0 } key, { Length: > 0 } variant]:
                return new(Version: VersionKey.Parse(key), Variant: variant);
            default:
                throw LlmOpsException.Invalid($"'{text}' names nothing that can be measured. Write 'alias:model@production', 'deployment:name' or 'version:model/3:int8'.");
        }
    }
}

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Answers looked at by detectors: refusals where they are right and where they are not, secrets, and personal data.</summary>
public static class SafetyKind
{
    public const string Name = "safety";

    /// <summary>Option of a detector: what stands in the prompt already counts too.</summary>
    public const string FromPrompt = "from_prompt";

    public static TaskKind Kind { get; } = new(Name, "Refusals of harmful and of harmless prompts, and secrets and personal data in answers, as detectors find them.", ["prompt"],
    [
        SuiteKinds.Share("refusal", "Of the harmful prompts: the answer refuses."),
        new("over_refusal", "share", false, "Of the harmless prompts: the answer refuses all the same.", Proportion: true),
        new("secrets", "findings", false, "Keys, tokens and passwords in an answer that are not in its prompt.", Options: [FromPrompt]),
        new("personal_data", "findings", false, "E-mail addresses, telephone numbers, IBANs, cards and the like in an answer that are not in its prompt.", Options: [FromPrompt]),
    ]);

    internal static SuiteTask Read(YamlReader y, SuiteTask task) => task with { Harmful = KindKeys.Template(y, "harmful") };

    internal static void Check(YamlReader y, SuiteTask task)
    {
        if (task.Harmful is null && task.Metrics.FirstOrDefault(m => m.Name is "refusal" or "over_refusal") is { } metric)
            y.Problem("harmful", $"{metric.Name} needs 'harmful', a template that gives true or false: only of a harmful prompt a refusal is right.");
    }
}

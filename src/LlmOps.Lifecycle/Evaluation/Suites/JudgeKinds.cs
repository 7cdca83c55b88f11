using System.Globalization;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Answers that another model judges: one by itself, or against a baseline answer that the row has.</summary>
public static class JudgeKinds
{
    public const string Pairwise = "judge-pairwise", Score = "judge-score";
    public const string AtLeast = "at_least";

    public static TaskKind PairwiseKind { get; } = new(Pairwise, "Whether a judge prefers the model's answer to a baseline answer, asked in both orders.", ["prompt", "judge", "baseline"],
    [
        new("win_rate", "share", true, "Won rows, ties as half; a preference that changes with the order is a tie."),
        SuiteKinds.Share("order_consistent", "Both orders say the same. It says more about the judge than about the model."),
    ]);

    public static TaskKind ScoreKind { get; } = new(Score, "How a judge grades the model's answer.", ["prompt", "judge"],
    [
        new("score", "points", true, "Mean of the judge's scores, from 1 to the scale of the judge."),
        SuiteKinds.Share("acceptable", "The score is at least so high.", [AtLeast], AtLeast),
    ]);

    public static bool Is(SuiteTask task) => task.Kind is Pairwise or Score;

    /// <summary>How a judge for a task of this kind has to be asked.</summary>
    public static string ModeOf(SuiteTask task) => task.Kind == Pairwise ? JudgeDocument.Pairwise : JudgeDocument.Score;

    internal static SuiteTask Read(YamlReader y, SuiteTask task) => task with
    {
        Judge = y.Text("judge"), Question = KindKeys.Template(y, "question"), Baseline = task.Kind == Pairwise ? SuiteDocument.Template(y, "baseline") : null,
    };

    internal static void Check(YamlReader y, SuiteTask task)
    {
        if (task.Judge is { } key)
            try { VersionKey.Parse(key); } catch (LlmOpsException e) { y.Problem("judge", e.Message); }
        if (task.FewShot > 0)
            y.Problem("few_shot", "what the judge sees as the request would hold the solved examples too: write them into the prompt, and the bare request into 'question'.");
        foreach (var metric in task.Metrics.Where(m => m.Name == "acceptable"))
            if (!double.TryParse(metric.Options.GetValueOrDefault(AtLeast), NumberStyles.Float, CultureInfo.InvariantCulture, out var least) || !(least >= 1))
                y.Problem("metrics", $"'{AtLeast}' is a number of 1 or more.");
    }
}

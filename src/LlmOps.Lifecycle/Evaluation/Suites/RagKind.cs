using LlmOps.Lifecycle.Registry;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Questions over an index of a knowledge base: what is found, and what is answered from it.</summary>
public static class RagKind
{
    public const string Name = "rag";
    public const int DefaultTopK = 5, MostPassages = 50;

    /// <summary>Sentences quoted from the passages, as the product's own retrieval deployments answer; written by the model; or none.</summary>
    public const string Extractive = "extractive", ByModel = "model", None = "none";

    // What they need of a row: the passages that should be found, the right answer, or an answer at all.
    private static readonly string[] OfRelevant = ["mrr", "map", "hit@k", "recall@k", "precision@k", "ndcg@k", "citation_precision", "citation_recall"];
    private static readonly string[] OfTarget = ["answer_f1", "answer_exact_match"];
    private static readonly string[] OfAnswer = ["answer_f1", "answer_exact_match", "citation_precision", "citation_recall", "groundedness", "answered"];

    public static TaskKind Kind { get; } = new(Name, "What is found in a knowledge base, and what is answered from it.", ["knowledge", "question"],
    [
        new("mrr", "share", true, "1 ÷ rank of the first relevant passage, 0 where none was found."),
        new("map", "share", true, "Mean of the precision at each relevant passage."),
        SuiteKinds.Share("hit@k", "One of the first k is relevant."),
        new("recall@k", "share", true, "Relevant ones among the first k ÷ all relevant ones."),
        new("precision@k", "share", true, "Relevant ones among the first k ÷ k."),
        new("ndcg@k", "share", true, "Discounted gain of the first k ÷ that of the best order; all relevant ones weigh the same."),
        new("answer_f1", "F1", true, "Words that answer and target share, by SQuAD's rules, citations left out."),
        SuiteKinds.Share("answer_exact_match", "The answer is the target by SQuAD's rules, citations left out."),
        new("citation_precision", "share", true, "Cited passages that are relevant ÷ cited ones."),
        new("citation_recall", "share", true, "Relevant passages that are cited ÷ relevant ones."),
        new("groundedness", "share", true, "Sentences of the answer whose words stand in one retrieved passage ÷ all sentences; a check of words, not of meaning."),
        SuiteKinds.Share("answered", "Something was answered at all."),
    ]);

    internal static SuiteTask Read(YamlReader y, SuiteTask task) => task with
    {
        Knowledge = y.Text("knowledge"), Question = SuiteDocument.Template(y, "question"), Relevant = KindKeys.Template(y, "relevant"), TopK = KindKeys.Whole(y, "top_k", 1, MostPassages), Answers = y.Text("answers"),
    };

    internal static void Check(YamlReader y, SuiteTask task)
    {
        if (task.Knowledge is { } key)
            try { VersionKey.Parse(key); } catch (LlmOpsException e) { y.Problem("knowledge", e.Message); }
        var answers = AnswersOf(task);
        if (answers is not (Extractive or ByModel or None))
            y.Problem("answers", $"'{task.Answers}' is no way to answer. Allowed: {Extractive}, {ByModel}, {None}.");
        if (answers == ByModel && task.Prompt.Length == 0)
            y.Problem("prompt", "a model that answers needs a 'prompt'; {{ context }} stands for the numbered passages, {{ question }} for the question.");
        if (answers != ByModel && task.Prompt.Length > 0)
            y.Problem("prompt", $"nobody is asked: set 'answers: {ByModel}', or leave the prompt out.");
        if (task.FewShot > 0)
            y.Problem("few_shot", "solved examples have no passages: write them into the prompt.");
        foreach (var metric in task.Metrics)
        {
            var plain = MetricKind.K(metric.Name) is null ? metric.Name : metric.Name[..metric.Name.IndexOf('@', StringComparison.Ordinal)] + MetricKind.AtK;
            if (MetricKind.K(metric.Name) > (task.TopK ?? DefaultTopK))
                y.Problem("top_k", $"{metric.Name} needs a 'top_k' of at least {MetricKind.K(metric.Name)}.");
            if (OfRelevant.Contains(plain) && task.Relevant is null)
                y.Problem("relevant", $"{metric.Name} needs 'relevant', the documents or passages that should be found.");
            if (OfTarget.Contains(plain) && task.Target.Length == 0)
                y.Problem("target", $"{metric.Name} compares with a 'target', and there is none.");
            if (OfAnswer.Contains(plain) && answers == None)
                y.Problem("answers", $"{metric.Name} needs an answer: set 'answers: {Extractive}' or 'answers: {ByModel}'.");
        }
    }

    public static string AnswersOf(SuiteTask task) => task.Answers ?? Extractive;
}

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>What a metric of a suite is, whichever task has it.</summary>
/// <param name="Options">Names of what may be written beside it.</param>
/// <param name="Required">The one of the options without which it says nothing.</param>
/// <param name="Corpus">Recomputed from the sums of statistics of all rows; null where rows are averaged.</param>
public sealed record MetricKind(string Name, string Unit, bool HigherIsBetter, string Help, bool IsRatio = false, bool Proportion = false, string[]? Options = null, string? Required = null, bool Corpus = false)
{
    /// <summary>What the @k of a metric's name stands for.</summary>
    public const string AtK = "@k";

    /// <summary>The value below which this share of the rows lies; null where rows are averaged.</summary>
    public double? Quantile { get; init; }

    /// <summary>Says something about the machine as well as about the model, so runs on different machines are not compared.</summary>
    public bool OfMachine { get; init; }

    public EvaluationTask Of(string task, SuiteMetric metric) => new(task, Name, Unit, HigherIsBetter, IsRatio, Proportion)
    {
        OfSuite = true, CorpusMetric = Corpus ? Name : null, Margin = metric.Margin, Quantile = Quantile, OfMachine = OfMachine ? true : null,
    };

    /// <summary>The k of "recall@5"; null for names without one.</summary>
    public static int? K(string name) => name.IndexOf('@', StringComparison.Ordinal) is > 0 and var at && int.TryParse(name.AsSpan(at + 1), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var k) && k is >= 1 and <= 1000 ? k : null;
}

/// <param name="Needs">Keys that a task of this kind cannot do without.</param>
/// <param name="Metrics">The first one is taken when a task names none.</param>
public sealed record TaskKind(string Name, string Help, string[] Needs, IReadOnlyList<MetricKind> Metrics);

/// <summary>The closed list of what a suite can measure. Each kind is carried out by the worker; there is none that is only a name.</summary>
public static class SuiteKinds
{
    internal static MetricKind Share(string name, string help, string[]? options = null, string? required = null) =>
        new(name, "share", true, help, Proportion: true, Options: options, Required: required);

    private static readonly string[] Loose = ["text", "ignore_case", "ignore_punctuation", "untrimmed"];

    public static IReadOnlyList<TaskKind> All { get; } =
    [
        new("perplexity", "How well the model predicts a text.", ["target"],
        [
            new("bits_per_byte", "bits/byte", false, "−log2 p over the text's UTF-8 bytes; comparable between tokenizers.", IsRatio: true),
            new("word_perplexity", "perplexity", false, "exp(−log p ÷ words), words parted by white space.", Corpus: true),
            new("byte_perplexity", "perplexity", false, "exp(−log p ÷ bytes).", Corpus: true),
            new("perplexity", "perplexity", false, "exp of the mean of −log p of each row, as lm-evaluation-harness computes it for loglikelihood tasks.", Corpus: true),
            Share("greedy", "Whether greedy decoding would write the text."),
        ]),
        new("multiple-choice", "Which of the choices the model finds most probable.", ["choices", "target"],
        [
            Share("accuracy", "The right choice has the greatest log-probability."),
            Share("accuracy_norm", "The same after division by the choice's length in characters."),
        ]),
        new("classification", "Which label the model finds most probable after the prompt.", ["prompt", "choices", "target"],
        [
            Share("accuracy", "The right label has the greatest log-probability."),
            new("macro_f1", "F1", true, "Mean over the labels of F1, from the confusion of all rows.", Corpus: true),
        ]),
        new("generation", "What the model writes.", ["prompt"],
        [
            Share("exact_match", "The answer is the target by SQuAD's rules: without case, punctuation and articles."),
            new("f1", "F1", true, "Words that answer and target share, by SQuAD's rules."),
            Share("equals", "The answer is the target, spaces around it aside.", Loose),
            Share("contains", "The answer has the text in it.", ["text"]),
            Share("contains_ignoring_case", "The answer has the text in it, in any case.", ["text"]),
            Share("starts_with", "The answer begins with the text.", ["text"]),
            Share("regex", "A part of the answer matches the pattern.", ["pattern"], "pattern"),
            Share("is_json", "The answer is JSON, and satisfies the schema if there is one.", ["schema"]),
            Share("contains_json", "The answer has a JSON object or list in it that satisfies the schema if there is one.", ["schema"]),
            Share("number", "The answer ends with the target's number, or one within the tolerance.", ["tolerance", "relative_tolerance"]),
            new("rouge1", "F1", true, "Overlap of words with the target."),
            new("rouge2", "F1", true, "Overlap of pairs of words with the target."),
            new("rougeL", "F1", true, "Longest common subsequence with the target."),
            new("rougeLsum", "F1", true, "The same sentence by sentence, one in each line."),
            new("bleu", "BLEU", true, "BLEU of all answers together, 13a tokens, exponential smoothing.", Corpus: true),
            new("chrf", "chrF", true, "chrF2 of all answers together.", Corpus: true),
            Share("assertions", "Every assertion of the row holds."),
        ]),
        new("preference", "Whether the chosen answer is more probable than the rejected one.", ["prompt", "chosen", "rejected"],
        [
            Share("accuracy", "log p(chosen) is greater than log p(rejected); a tie counts as 0."),
        ]),
        CodeKind.Kind,
        RagKind.Kind,
        LatencyKind.Kind,
        SafetyKind.Kind,
        JudgeKinds.PairwiseKind,
        JudgeKinds.ScoreKind,
    ];

    public static TaskKind? Find(string? name) => All.FirstOrDefault(k => k.Name == name);

    /// <summary>"recall@5" is the kind's "recall@k".</summary>
    public static MetricKind? Metric(string kind, string metric)
    {
        if (Find(kind)?.Metrics is not { } metrics || metric.EndsWith(MetricKind.AtK, StringComparison.Ordinal))
            return null;
        return metrics.FirstOrDefault(m => m.Name == metric)
            ?? (MetricKind.K(metric) is null ? null : metrics.FirstOrDefault(m => m.Name == metric[..metric.IndexOf('@', StringComparison.Ordinal)] + MetricKind.AtK) is { } any ? any with { Name = metric } : null);
    }
}

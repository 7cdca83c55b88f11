using LlmOps.Engines.Evaluation.Contamination;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;

namespace LlmOps.Lifecycle.Evaluation.Contamination;

/// <summary>Rows that are measured on: a split of a dataset version, or the rows that a suite's task holds itself.</summary>
/// <param name="Digest">Of exactly these rows, as the ledger knows them.</param>
/// <param name="Limit">Most rows that a task takes; 0 for all.</param>
internal sealed record EvaluationSet(string Name, string Digest, int Limit = 0)
{
    public DatasetFile? File { get; init; }
    public IReadOnlyList<InlineRow> Inline { get; init; } = [];
    public long SizeBytes => File?.SizeBytes ?? 0;
}

/// <summary>Rows that a model learned from: the train split of a dataset version.</summary>
internal sealed record TrainingSet(string Name, string Digest)
{
    public required DatasetFile File { get; init; }
}

internal sealed record InlineRow(ContaminationRow Texts, string Key);

/// <summary>A file of a frozen dataset version.</summary>
internal sealed record DatasetFile(string Artifact, string Name, DatasetKind Kind, long SizeBytes);

/// <summary>What has to be compared with what.</summary>
/// <param name="Unknown">What cannot be compared because nobody recorded what it is.</param>
internal sealed record ContaminationScope(IReadOnlyList<EvaluationSet> Evaluation, IReadOnlyList<TrainingSet> Training, IReadOnlyList<string> Unknown)
{
    public IEnumerable<(EvaluationSet Evaluation, TrainingSet Training)> Pairs => Evaluation.SelectMany(e => Training.Select(t => (e, t)));
}

/// <summary>A row that is in a training set, with what a reader needs to judge it.</summary>
/// <param name="Row">Line of the evaluation rows, from 1.</param>
/// <param name="Keys">Under which runs know the row.</param>
/// <param name="TrainingRow">Line of the train split, from 1.</param>
/// <param name="Similarity">1 for exact, Jaccard of word shingles for near, share of n-grams for contained.</param>
/// <param name="TrainingRows">Training rows alike; the most that are counted is 100.</param>
/// <param name="Text">Beginning of the evaluation row.</param>
public sealed record LedgerRow(int Row, IReadOnlyList<string> Keys, int TrainingRow, ContaminationKind Kind, double Similarity, int TrainingRows, string Text, string TrainingText);

/// <summary>What a <see cref="ContaminationReport"/> holds as JSON.</summary>
/// <param name="Rule">Version of the comparison; what another one said is compared again.</param>
/// <param name="Found">The strongest rows first; at most <see cref="MostListed"/> of <paramref name="Total"/>.</param>
/// <param name="Candidates">Pairs the sketch proposed.</param>
public sealed record LedgerDetail(string Rule, int BlankRows, int ShortRows, long TrainingRows, int Total, IReadOnlyList<LedgerRow> Found, long Candidates)
{
    /// <summary>Grows when the comparison changes in a way that could change an answer.</summary>
    public const string CurrentRule = "1";
    public const int MostListed = 1000;
    public bool IsWhole => Found.Count == Total;

    public static LedgerDetail Of(ContaminationReport report) => Json.Read<LedgerDetail>(report.ReportJson);
}

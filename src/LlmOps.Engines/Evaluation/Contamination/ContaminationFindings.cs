namespace LlmOps.Engines.Evaluation.Contamination;

/// <summary>A row to compare.</summary>
/// <param name="Number">Where it is in its set, from 0.</param>
/// <param name="Text">All of it.</param>
/// <param name="Passages">Parts of an evaluation row that give it away alone (a question without its choices); not needed for training rows.</param>
public sealed record ContaminationRow(int Number, string Text, IReadOnlyList<string>? Passages = null);

/// <summary>How an evaluation row is in a training set, the weakest first.</summary>
public enum ContaminationKind
{
    /// <summary>One training row holds the row's n-grams.</summary>
    Contained,
    /// <summary>The Jaccard similarity of the shingles reaches the threshold.</summary>
    Near,
    /// <summary>The same words in the same order.</summary>
    Exact,
}

/// <summary>An evaluation row that is in the training set, with the training row that shows it best.</summary>
/// <param name="Row">Number of the evaluation row.</param>
/// <param name="TrainingRow">Number of the training row it is most alike; of several equals the first.</param>
/// <param name="Kind">The strongest of the rules that hold.</param>
/// <param name="Similarity">1 for exact, Jaccard for near, the share of n-grams for contained.</param>
/// <param name="TrainingRows">How many training rows are alike; at least this many when it is the most that are counted.</param>
public sealed record ContaminatedRow(int Row, int TrainingRow, ContaminationKind Kind, double Similarity, int TrainingRows);

/// <summary>The answer of a <see cref="ContaminationCheck"/>.</summary>
/// <param name="Rows">Evaluation rows compared.</param>
/// <param name="BlankRows">Of them without any character; nothing can be said of those.</param>
/// <param name="ShortRows">Of them too short for n-grams: found when a whole training row is like them, not inside of a longer one.</param>
/// <param name="TrainingRows">Training rows they were compared with.</param>
/// <param name="Found">In the order of the evaluation rows, each once.</param>
/// <param name="Candidates">Pairs that the sketch proposed and that were compared in full.</param>
public sealed record ContaminationFindings(int Rows, int BlankRows, int ShortRows, long TrainingRows, IReadOnlyList<ContaminatedRow> Found, long Candidates)
{
    /// <summary>Rows that are there word by word.</summary>
    public int ExactRows => Found.Count(f => f.Kind == ContaminationKind.Exact);
    /// <summary>Near-duplicates and contained rows.</summary>
    public int NearRows => Found.Count - ExactRows;
}

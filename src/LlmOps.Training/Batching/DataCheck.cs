using LlmOps.Engines.Text;

namespace LlmOps.Training.Batching;

/// <summary>One row as it is looked at before the first step: what is asked (empty for a plain text) and each answer to it.</summary>
internal sealed record CheckedRow(string Prompt, IReadOnlyList<string> Answers)
{
    /// <summary>What the row says is good, and what a row would say that contradicts it; null for rows that judge nothing.</summary>
    public (string Says, string Opposite)? Judgement { get; private init; }

    public static CheckedRow Of(PreferenceExample pair) => new(pair.Prompt, [pair.Chosen, pair.Rejected])
    {
        Judgement = ($"{pair.Prompt}\0{pair.Chosen}\0{pair.Rejected}", $"{pair.Prompt}\0{pair.Rejected}\0{pair.Chosen}"),
    };

    public static CheckedRow Of(UnpairedExample row) => new(row.Prompt, [row.Completion]) { Judgement = ($"{row.Prompt}\0{row.Completion}\0{row.Label}", $"{row.Prompt}\0{row.Completion}\0{!row.Label}") };

    public static CheckedRow Of(PromptCompletion row) => new(row.Prompt, [row.Completion]);

    public static CheckedRow Of(string text) => new("", [text]);

    /// <summary>What leaks when it is met again: each answer with its prompt.</summary>
    public IEnumerable<string> Texts => Prompt.Length == 0 ? Answers : Answers.Select(a => Prompt + "\n" + a);

    public FineTuningExample Example => Prompt.Length == 0 ? new TextExample(Answers[0]) : new AnswerExample(Prompt, string.Join('\n', Answers));
}

/// <summary>Looks at rows with answers before the first step. Rows that cannot be learnt from are refused, all of them by number; the rest is reported.</summary>
internal sealed class DataCheck
{
    private const int Named = 10;

    private readonly IReadOnlyList<CheckedRow> rows, heldOut;
    private readonly IReadOnlyList<DataFinding> leaks;

    /// <summary>Refuses what cannot be learnt from and compares both splits.</summary>
    /// <param name="rows">Rows to train on.</param>
    /// <param name="heldOut">Held-out rows; empty for none.</param>
    /// <param name="limit">Tokens that a row may have.</param>
    /// <param name="leakage">What to do with rows that are among the held-out ones.</param>
    /// <param name="ct">Looked at every few thousand rows.</param>
    /// <exception cref="InvalidDatasetException">An answer is empty, or the answers of a pair are the same.</exception>
    /// <exception cref="TrainingFailedException">There is a leak that is to be refused.</exception>
    public DataCheck(IReadOnlyList<CheckedRow> rows, IReadOnlyList<CheckedRow> heldOut, int limit, LeakagePolicy leakage, CancellationToken ct)
    {
        (this.rows, this.heldOut) = (rows, heldOut);
        foreach (var (split, of) in new[] { (rows, ""), (heldOut, "of the held-out rows: ") })
        {
            Refuse(split, r => r.Answers.Any(string.IsNullOrWhiteSpace), of + "the completion is empty");
            Refuse(split, r => r.Answers.Count > 1 && r.Answers[0] == r.Answers[1], of + "chosen and rejected are the same, so there is nothing to prefer");
        }
        (leaks, IReadOnlySet<int> without) = heldOut.Count == 0 || rows.Count == 0 ? ([], new HashSet<int>())
            : LeakageCheck.Run(() => rows.SelectMany(r => r.Texts), () => heldOut.SelectMany(r => r.Texts), leakage, ct, rows[0].Answers.Count);
        Notes = new RowNotes(limit) { Without = without };
    }

    /// <summary>To be filled while the rows are made into tokens.</summary>
    public RowNotes Notes { get; }

    /// <summary>What was found, told to a progress that wants to know.</summary>
    public TrainingDataReport Report(IProgress<TrainingStep>? progress, params IEnumerable<DataFinding> more)
    {
        var report = new TrainingDataReport(rows.Count, heldOut.Count, Notes.Without.Count,
            [.. FineTuningCheck.Run([.. rows.Select(r => r.Example)], Notes, heldOut.Select(r => r.Example)), .. Contradictions(), .. more, .. leaks]);
        (progress as ITrainingWatch)?.Checked(report);
        return report;
    }

    private IEnumerable<DataFinding> Contradictions()
    {
        List<(int Index, CheckedRow Row)> judged = [.. rows.Index().Where(r => r.Item.Judgement is not null && !Notes.Without.Contains(r.Index))];
        var said = judged.Select(r => FineTuningCheck.Digest(r.Row.Judgement!.Value.Says)).ToHashSet();
        var found = new FineTuningCheck.Finding();
        foreach (var (i, row) in judged)
        {
            if (said.Contains(FineTuningCheck.Digest(row.Judgement!.Value.Opposite))) found.Add(i, () => row.Example.AllText);
        }
        return found.As("contradiction", n => $"{n} rows contradict each other: the same answers to the same prompt are judged the other way round.");
    }

    private static void Refuse(IReadOnlyList<CheckedRow> rows, Func<CheckedRow, bool> bad, string reason)
    {
        List<int> found = [.. Enumerable.Range(0, rows.Count).Where(i => bad(rows[i])).Select(i => i + 1)];
        if (found.Count == 0) return;
        string others = found.Count == 1 ? "" : $"; {found.Count} rows are like that: {string.Join(", ", found.Take(Named))}{(found.Count > Named ? " …" : "")}";
        throw new InvalidDatasetException(reason + others, found[0]);
    }
}

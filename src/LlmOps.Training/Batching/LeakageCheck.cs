using LlmOps.Engines.Evaluation.Contamination;

namespace LlmOps.Training.Batching;

/// <summary>Compares the rows to train on with the held-out ones before the first step: word by word, nearly (<see cref="ContaminationCheck"/>), and inside of a longer row.</summary>
internal static class LeakageCheck
{
    private const int Rounds = 8;

    /// <summary>What was found, and which training rows are not to be trained on.</summary>
    /// <param name="train">Texts to train on; read several times.</param>
    /// <param name="heldOut">Held-out texts; read several times.</param>
    /// <param name="policy">What to do.</param>
    /// <param name="ct">Looked at every few thousand rows.</param>
    /// <param name="textsPerRow">How many texts beside each other are one row.</param>
    /// <exception cref="TrainingFailedException">There is a leak and the policy refuses it, or dropping does not get rid of it.</exception>
    public static (IReadOnlyList<DataFinding> Findings, IReadOnlySet<int> Dropped) Run(Func<IEnumerable<string>> train, Func<IEnumerable<string>> heldOut, LeakagePolicy policy, CancellationToken ct, int textsPerRow = 1)
    {
        var dropped = new SortedSet<int>();
        ContaminationFindings found = Compare(train, heldOut, dropped, textsPerRow, ct);
        List<DataFinding> findings = Describe(found, heldOut, textsPerRow);
        if (found.Found.Count == 0 || policy == LeakagePolicy.Warn) return (findings, dropped);
        if (policy == LeakagePolicy.Refuse)
            throw new TrainingFailedException($"{string.Join(" ", findings.Select(f => f.Sentence))} Training was refused before its first step, because the held-out rows would measure what was learnt by heart. Remove the rows, or set leakage to drop or warn.");
        // Each held-out row names one training row it is like. Equality and likeness work both ways, so the other direction names all; what is inside of longer rows goes one by one.
        foreach (ContaminatedRow row in ContaminationCheck.Run(Rows(train), () => Rows(heldOut), ct: ct).Found.Where(f => f.Kind != ContaminationKind.Contained)) dropped.Add(row.Row / textsPerRow);
        for (int round = 0; round < Rounds; round++)
        {
            ContaminationFindings left = Compare(train, heldOut, dropped, textsPerRow, ct);
            if (left.Found.Count == 0) return (findings, dropped);
            foreach (ContaminatedRow row in left.Found) dropped.Add(row.TrainingRow / textsPerRow);
        }
        throw new TrainingFailedException($"After leaving out {dropped.Count} training rows, held-out rows are still among the others: too much of the data is alike to be divided. Set leakage to warn, or divide the rows by another headword.");
    }

    private static ContaminationFindings Compare(Func<IEnumerable<string>> train, Func<IEnumerable<string>> heldOut, SortedSet<int> without, int textsPerRow, CancellationToken ct)
        => ContaminationCheck.Run(Rows(heldOut), () => Rows(train).Where(r => !without.Contains(r.Number / textsPerRow)), ct: ct);

    private static IEnumerable<ContaminationRow> Rows(Func<IEnumerable<string>> texts) => texts().Select((text, i) => new ContaminationRow(i, text));

    private static List<DataFinding> Describe(ContaminationFindings found, Func<IEnumerable<string>> heldOut, int textsPerRow)
    {
        var findings = new List<DataFinding>();
        foreach (var (kind, name, words) in new[]
        {
            (ContaminationKind.Exact, "leak-exact", "word by word among the training rows"), (ContaminationKind.Near, "leak-near", "nearly the same as training rows"),
            (ContaminationKind.Contained, "leak-contained", "inside of longer training rows"),
        })
        {
            List<ContaminatedRow> rows = [.. found.Found.Where(f => f.Kind == kind).DistinctBy(f => f.Row / textsPerRow)];
            if (rows.Count == 0) continue;
            List<ContaminatedRow> shown = [.. rows.Take(FineTuningCheck.Shown)];
            var texts = heldOut().Select((text, i) => (text, i)).Where(t => shown.Any(s => s.Row == t.i)).ToDictionary(t => t.i, t => t.text);
            findings.Add(new DataFinding(name, rows.Count, $"{rows.Count} of {found.Rows / textsPerRow} held-out rows {(rows.Count == 1 ? "is" : "are")} {words}.",
                [.. shown.Select(s => new FoundExample(s.Row / textsPerRow + 1, $"like training row {s.TrainingRow / textsPerRow + 1}: {FineTuningCheck.Beginning(texts[s.Row])}"))]));
        }
        return findings;
    }
}

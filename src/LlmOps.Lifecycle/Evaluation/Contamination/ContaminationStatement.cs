using System.Globalization;
using LlmOps.Engines.Evaluation.Contamination;

namespace LlmOps.Lifecycle.Evaluation.Contamination;

/// <summary>What is asked about without a run. Name a dataset or a suite; without a version, every dataset that was ever trained on counts.</summary>
public sealed record ContaminationQuestion(string? Dataset = null, string? Suite = null, string? Version = null);

public enum ContaminationVerdict { Clean, Contaminated, CannotTell }

/// <param name="ReportId">Null while they were never compared.</param>
public sealed record ComparedPair(string Evaluation, string Training, Guid? ReportId, int Rows, int ExactRows, int NearRows, int BlankRows, int ShortRows, long TrainingRows, DateTimeOffset? At);

/// <summary>A row of the ledger with the sets it belongs to.</summary>
public sealed record FoundRow(string Evaluation, string Training, LedgerRow Row)
{
    /// <summary>Under which the run that is asked about stored its scores; a suite's key where no run is asked about.</summary>
    public string Key { get; init; } = Row.Keys[0];
}

/// <summary>What the ledger knows about rows that are measured on and what a model learned from.</summary>
/// <param name="Rows">Evaluation rows that were compared.</param>
/// <param name="Exact">Of them in the training data word by word.</param>
/// <param name="Near">Nearly, or inside of a longer training row.</param>
/// <param name="NotMeasured">Rows of the datasets that are in the training data too, and that this run did not measure.</param>
/// <param name="Unlisted">Rows that count and that no report lists, because it lists the first thousand.</param>
/// <param name="Unchecked">What was not compared, and why.</param>
public sealed record ContaminationStatement(int Rows, int Exact, int Near, int NotMeasured, int Unlisted, IReadOnlyList<ComparedPair> Pairs, IReadOnlyList<FoundRow> Found, IReadOnlyList<string> Unchecked)
{
    public ContaminationVerdict Verdict => Exact + Near > 0 ? ContaminationVerdict.Contaminated : Unchecked.Count > 0 ? ContaminationVerdict.CannotTell : ContaminationVerdict.Clean;

    public string Words
    {
        get
        {
            var (found, kinds) = (Exact + Near, $"{Count(Exact)} word by word, {Count(Near)} nearly");
            // Only some of the rows that were compared are measured then, so each share is said of its own whole.
            var others = NotMeasured > 0 ? $"; of all {Count(Rows)} rows of the datasets {Are(found + NotMeasured)}" : "";
            var rows = (found, NotMeasured) switch
            {
                _ when Rows == 0 => "No row was compared.",
                (0, > 0) => $"No measured row is in the training data{others}.",
                (_, > 0) => $"{Count(found)} measured {(found == 1 ? "row is" : "rows are")} in the training data: {kinds}{others}.",
                (0, _) => $"None of {Count(Rows)} rows is in the training data{(Unchecked.Count > 0 ? " that was compared" : "")}.",
                _ => $"{Count(found)} of {Count(Rows)} rows {(found == 1 ? "is" : "are")} in the training data: {kinds}.",
            };
            return Unchecked.Count == 0 ? rows : $"{rows} Not compared: {string.Join("; ", Unchecked)}.";
        }
    }

    /// <summary>The worst rows by name.</summary>
    public IEnumerable<string> Named(int most) => Found.OrderByDescending(f => f.Row.Kind).ThenByDescending(f => f.Row.Similarity).DistinctBy(f => (f.Evaluation, f.Row.Row)).Take(most)
        .Select(f => $"row {Count(f.Row.Row)} of {f.Evaluation} ({f.Key}) is row {Count(f.Row.TrainingRow)} of {f.Training} ({Kind(f.Row)})");

    private static string Kind(LedgerRow row) => row.Kind switch
    {
        ContaminationKind.Exact => "word by word",
        ContaminationKind.Near => string.Create(CultureInfo.InvariantCulture, $"nearly, similarity {row.Similarity:0.00}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"contained, {100 * row.Similarity:0} % of its word sequences"),
    };

    private static string Are(int n) => $"{Count(n)} {(n == 1 ? "is" : "are")}";

    private static string Count(int n) => n.ToString("N0", CultureInfo.InvariantCulture);
}

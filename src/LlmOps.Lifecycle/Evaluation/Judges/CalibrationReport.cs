using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>One answer, or pair of answers, that people and the judge have both looked at.</summary>
/// <param name="Human">People said yes: they chose the answer that is asked about.</param>
/// <param name="Trace">Null where the judge failed.</param>
public sealed record CalibrationRow(string Key, bool Human, JudgeTrace? Trace, string? Error = null);

/// <summary>Agreement beyond chance.</summary>
/// <param name="Value">Null when chance explains everything.</param>
public sealed record JudgeAgreement(double? Value, double? Low, double? High, double Observed, int N);

/// <summary>How far a judge agrees with people. A tie of the judge is neither yes nor no, so it counts as wrong either way.</summary>
/// <param name="AtLeast">The score from which a graded answer counts as good; null for a pairwise judge.</param>
/// <param name="Positives">Rows on which people said yes; of them the judge said yes to <see cref="TruePositives"/>.</param>
/// <param name="Negatives">Rows on which people said no; of them the judge said no to <see cref="TrueNegatives"/>.</param>
public sealed record CalibrationReport(string Mode, int Rows, int Missing, double? AtLeast, JudgeAgreement Kappa, int TruePositives, int Positives, int TrueNegatives, int Negatives, int Ties, JudgeConduct Conduct)
{
    public double Sensitivity => Positives == 0 ? double.NaN : TruePositives / (double)Positives;
    public double Specificity => Negatives == 0 ? double.NaN : TrueNegatives / (double)Negatives;

    /// <exception cref="LlmOpsException">The judge answered on too few rows to say anything.</exception>
    public static CalibrationReport Of(IReadOnlyList<CalibrationRow> rows, JudgeDocument judge, double? atLeast)
    {
        var judged = rows.Where(r => r.Trace is not null).ToList();
        if (!judged.Exists(r => r.Human) || judged.TrueForAll(r => r.Human))
            throw LlmOpsException.Invalid($"The judge gave {judged.Count} verdicts on {rows.Count} rows, and people did not say both yes and no on those: nothing can be said about its agreement.{(rows.FirstOrDefault(r => r.Error is not null)?.Error is { } error ? $" First failure: {error}" : "")}");
        int[] said = [.. judged.Select(r => Said(r.Trace!, atLeast))];
        var kappa = Engines.Evaluation.Statistics.Kappa.Of([.. judged.Select(r => r.Human ? 1 : 0)], said, 3);
        int Count(bool human, int verdict) => judged.Zip(said).Count(p => p.First.Human == human && p.Second == verdict);
        return new(judge.Mode, rows.Count, rows.Count - judged.Count, atLeast, new(kappa.Value, kappa.Value is null ? null : kappa.Low, kappa.Value is null ? null : kappa.High, kappa.Observed, kappa.N),
            Count(true, 1), judged.Count(r => r.Human), Count(false, 0), judged.Count(r => !r.Human), said.Count(s => s == 2), JudgeConduct.Of([.. judged.Select(r => r.Trace!)], judge)!) { TiesOfYes = Count(true, 2) };
    }

    /// <summary>The rate that people would have found, as far as sensitivity and specificity tell; null when the judge is no better than chance, or was calibrated for another threshold.</summary>
    public Estimate? Correct(EvaluationMetric metric, string name, double? atLeast)
    {
        // A win rate with ties is no share of yes: the correction is for rates of yes and no.
        if (metric.N == 0 || name != "acceptable" || AtLeast is not { } calibrated || atLeast != calibrated)
            return null;
        return RoganGladen.Correct((int)Math.Round(metric.Value * metric.N), metric.N, TruePositives, Positives, TrueNegatives, Negatives);
    }

    /// <summary>The same for wins and losses of a pairwise judge, ties left out.</summary>
    public Estimate? CorrectWins(int wins, int decided) => Mode != JudgeDocument.Pairwise || decided == 0 ? null : RoganGladen.Correct(wins, decided, TruePositives, Decided(TruePositives, Positives, true), TrueNegatives, Decided(TrueNegatives, Negatives, false));

    /// <summary>Ties are spread as they fell: how many of a group the judge decided at all.</summary>
    private int Decided(int right, int all, bool human) => Math.Max(Math.Max(1, right), all - (human ? TiesOfYes : Ties - TiesOfYes));

    /// <summary>Ties on rows to which people said yes.</summary>
    public int TiesOfYes { get; init; }

    /// <summary>0 no, 1 yes, 2 neither.</summary>
    private static int Said(JudgeTrace trace, double? atLeast) => atLeast is { } least ? trace.MeanScore >= least ? 1 : 0 : trace.Win switch { 1 => 1, 0 => 0, _ => 2 };
}

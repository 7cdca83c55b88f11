using LlmOps.Lifecycle.Evaluation;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>A measured number as the gate needs it; the interval is the 95 % one.</summary>
public sealed record MeasuredMetric(string Name, double Value, double Low, double High, int N, string Unit, bool HigherIsBetter);

/// <summary>What is known about evaluation rows in the training data of the version.</summary>
/// <param name="Rows">Rows that are the same or nearly the same.</param>
/// <param name="Unchecked">Pairs of datasets that were never compared.</param>
public sealed record ContaminationFinding(int Rows, IReadOnlyList<string> Unchecked)
{
    /// <summary>Of the rows, those that are there word by word.</summary>
    public int Exact { get; init; }
    /// <summary>Rows of the evaluation that were compared.</summary>
    public int Compared { get; init; }
    /// <summary>Rows of the same datasets that are in the training data too, and that the run did not measure.</summary>
    public int NotMeasured { get; init; }
    /// <summary>The worst of the rows, in words.</summary>
    public IReadOnlyList<string> Named { get; init; } = [];
}

/// <param name="Differences">
/// Candidate minus champion, paired on the same rows, with interval; null without a champion. Empty means that there is a champion but no
/// row that both were measured on, which is no reason to let anything pass.
/// </param>
public sealed record GateCandidate(string VariantName, bool? ParityPassed, long SizeBytes, IReadOnlyList<MeasuredMetric> Metrics, IReadOnlyDictionary<string, MeasuredMetric>? Differences)
{
    public string? Licence { get; init; }
    /// <summary>Null when the datasets are not known.</summary>
    public ContaminationFinding? Contamination { get; init; }
    /// <summary>The comparisons behind <see cref="Differences"/>, by metric.</summary>
    public IReadOnlyDictionary<string, MetricComparison> Compared { get; init; } = new Dictionary<string, MetricComparison>();
    /// <summary>Metric → why it was not compared with the champion although both have it.</summary>
    public IReadOnlyDictionary<string, string> Incomparable { get; init; } = new Dictionary<string, string>();
    /// <summary>Task → machine that it was measured on, for times and memory.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Machines { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
    /// <summary>Metric → what has to be known about the judge behind it.</summary>
    public IReadOnlyDictionary<string, string> JudgeWarnings { get; init; } = new Dictionary<string, string>();
    public string? Champion { get; init; }
    /// <summary>From 1: the how-manieth time this candidate is looked at with this policy.</summary>
    public int Look { get; init; } = 1;
}

/// <param name="Alpha">One-sided false-alarm rate of this look.</param>
public sealed record GateOutcome(string VariantName, Verdict Verdict, IReadOnlyList<RuleResult> Reasons, double Alpha = 0.025, int Look = 1, int Looks = 1)
{
    /// <summary>Enough for every rule that could not be decided; null when rows would not help.</summary>
    public int? MoreRows => Verdict == Verdict.CannotTell ? Reasons.Max(r => r.MoreRows) : null;

    /// <summary>The verdict as a sentence.</summary>
    public string Words => Verdict switch
    {
        Verdict.Pass => $"Pass: {(Reasons.Count == 1 ? "the rule holds" : $"all {Reasons.Count} rules hold")}.",
        Verdict.Fail => $"Fail: {string.Join(" ", Reasons.Where(r => r.Verdict == Verdict.Fail).Select(r => $"{r.Rule} — {r.Reason}"))}",
        _ => $"Cannot tell{(MoreRows is { } rows ? $" (needs {rows.ToString("N0", System.Globalization.CultureInfo.InvariantCulture)} more rows)" : "")}: {string.Join(" ", Reasons.Where(r => r.Verdict == Verdict.CannotTell).Select(r => $"{r.Rule} — {r.Reason}"))}",
    };
}

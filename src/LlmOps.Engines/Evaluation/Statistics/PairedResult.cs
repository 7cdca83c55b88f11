namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>How two models are compared on the same items.</summary>
public sealed record PairedOptions
{
    /// <summary>Two-sided confidence of the interval, 0.5 to 0.9999. A one-sided test at α reads one end of the interval of confidence 1 − 2α.</summary>
    public double Confidence { get; init; } = 0.95;

    /// <summary>Resamples of the bootstrap and of the permutation test.</summary>
    public int Resamples { get; init; } = 10_000;

    /// <summary>Seed of both. The same data and seed give the same numbers, on any number of cores.</summary>
    public int Seed { get; init; }

    /// <summary>For each item the source it comes from, when several items share one; null when all are independent.</summary>
    public string[]? Clusters { get; init; }
}

/// <summary>The difference of two models, second minus first, on the items both answered.</summary>
/// <param name="Effect">Second minus first, in the metric's unit.</param>
/// <param name="Low">Lower end of the interval.</param>
/// <param name="High">Upper end of the interval.</param>
/// <param name="PValue">Two-sided p-value of "there is no difference".</param>
/// <param name="N">Pairs of items.</param>
/// <param name="Improved">Items on which the second model's value is larger.</param>
/// <param name="Regressed">Items on which it is smaller.</param>
/// <param name="Ties">Items with the same value.</param>
/// <param name="Test">Names the interval and the test, for example "Tango score interval; McNemar mid-p".</param>
public sealed record PairedResult(double Effect, double Low, double High, double PValue, int N, int Improved, int Regressed, int Ties, string Test);

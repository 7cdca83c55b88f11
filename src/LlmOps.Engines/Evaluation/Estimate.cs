namespace LlmOps.Engines.Evaluation;

/// <summary>A measured number with its 95 % confidence interval.</summary>
/// <param name="Value">The statistic on the sample.</param>
/// <param name="Low">Lower end of the interval.</param>
/// <param name="High">Upper end of the interval.</param>
/// <param name="N">Number of items measured.</param>
public sealed record Estimate(double Value, double Low, double High, int N);

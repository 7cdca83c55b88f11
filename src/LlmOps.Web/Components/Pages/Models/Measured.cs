using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>How measured numbers are written: bytes in MiB, everything else in its own unit.</summary>
public static class Measured
{
    public static double Scaled(double value, string unit) => unit switch { "bytes" => value / (1 << 20), _ => value };

    public static string Unit(string unit) => unit switch { "bytes" => "MiB", _ => MetricWords.Unit(unit) };

    public static string Text(double value, string unit) => Display.Number(Scaled(value, unit));

    public static string Label(EvaluationTask task) => task.Name switch
    {
        "corpus" => "Bits per byte of the corpus",
        "definitions" => "Bits per byte of definitions",
        "preference" => "Preference accuracy",
        "questions" => "Exact match",
        "load" => "Time to load",
        "first_token" => "Time to first token",
        "latency" => "Latency of a reply",
        "prefill" => "Prefill speed",
        "decode" => "Decoding speed",
        "memory" => "Peak memory",
        "size" => "Size on disk",
        _ => MetricWords.Label(task.FullName) ?? task.FullName,
    };

    /// <summary>One scale for all forms of a row, so that their bars can be compared by eye.</summary>
    public static (double Min, double Max) Scale(IEnumerable<MeasuredMetric> row, bool aroundZero = false)
    {
        var all = row.ToList();
        if (all.Count == 0) return (0, 0);
        double low = all.Min(m => Scaled(m.Low, m.Unit)), high = all.Max(m => Scaled(m.High, m.Unit));
        if (aroundZero) (low, high) = (Math.Min(low, 0), Math.Max(high, 0));
        var edge = Math.Max((high - low) * 0.08, Math.Abs(high) * 1e-6);
        return (low - edge, high + edge);
    }
}

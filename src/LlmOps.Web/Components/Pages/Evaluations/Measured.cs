using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>Names and values of metrics as people read them.</summary>
public static class Measured
{
    /// <summary>Its own name, or <c>definitions.bits_per_byte</c> → <c>Definitions: bits per byte</c>.</summary>
    public static string Words(string metric)
    {
        if (MetricWords.Label(metric) is { } label)
            return label;
        var dot = metric.IndexOf('.', StringComparison.Ordinal);
        var text = (dot < 0 ? metric : $"{metric[..dot]}: {metric[(dot + 1)..]}").Replace('_', ' ');
        return char.ToUpperInvariant(text[0]) + text[1..];
    }

    /// <summary>With its unit; bytes in binary units.</summary>
    public static string Text(double value, string unit) => unit switch
    {
        "bytes" => Display.Bytes((long)value),
        "share" => Display.Percent(value, 1),
        "ms" => Display.Duration(value),
        _ => Display.Number(value) + MetricWords.Suffix(unit),
    };

    public static string Difference(double value, string unit) => unit switch
    {
        "bytes" => (value < 0 ? "−" : "+") + Display.Bytes((long)Math.Abs(value)),
        "share" => $"{Display.Signed(value * 100)} points",
        "ms" => value == 0 ? "±0" : (value < 0 ? "−" : "+") + Display.Duration(Math.Abs(value)),
        _ => Display.Signed(value) + MetricWords.Suffix(unit),
    };
}

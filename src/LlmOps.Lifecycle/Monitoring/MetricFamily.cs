using System.Globalization;
using System.Text;

namespace LlmOps.Lifecycle.Monitoring;

public enum MetricType { Gauge, Counter, Histogram, Summary }

/// <summary>One number: the end of its name ("_bucket", "_sum"), its labels, its value.</summary>
public sealed record MetricSample(double Value, string Suffix = "", params (string Name, string Value)[] Labels);

/// <summary>Numbers with one name, as Prometheus reads them.</summary>
/// <param name="Name">Without the "_total" of a counter.</param>
public sealed record MetricFamily(string Name, MetricType Type, string Help, IReadOnlyList<MetricSample> Samples);

/// <summary>The text form of Prometheus (0.0.4) and OpenMetrics (1.0), which differ in the names of counters and in the end.</summary>
public static class MetricText
{
    public static string Write(IEnumerable<MetricFamily> families, bool openMetrics)
    {
        var text = new StringBuilder();
        foreach (var family in families)
        {
            var total = family.Type == MetricType.Counter ? "_total" : "";
            var header = openMetrics ? family.Name : family.Name + total;
            text.Append("# HELP ").Append(header).Append(' ').Append(Escaped(family.Help, quotes: false)).Append('\n');
            text.Append("# TYPE ").Append(header).Append(' ').Append(family.Type.ToString().ToLowerInvariant()).Append('\n');
            foreach (var sample in family.Samples)
            {
                text.Append(family.Name).Append(total).Append(sample.Suffix);
                if (sample.Labels.Length > 0)
                    text.Append('{').AppendJoin(',', sample.Labels.Select(l => $"{l.Name}=\"{Escaped(l.Value, quotes: true)}\"")).Append('}');
                text.Append(' ').Append(Number(sample.Value)).Append('\n');
            }
        }
        return openMetrics ? text.Append("# EOF\n").ToString() : text.ToString();
    }

    public static string Number(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : double.IsNaN(value) ? "NaN" : value.ToString("R", CultureInfo.InvariantCulture);

    private static string Escaped(string text, bool quotes)
    {
        var escaped = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return quotes ? escaped.Replace("\"", "\\\"", StringComparison.Ordinal) : escaped;
    }
}

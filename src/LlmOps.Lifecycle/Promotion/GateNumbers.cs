using System.Globalization;
using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Numbers of the gate, as arithmetic and as text.</summary>
internal static class GateNumbers
{
    private const double Z95 = 1.959963984540054;
    /// <summary>Beyond this the effect lies so near the bound that asking for rows is no advice.</summary>
    private const int MostRows = 50_000_000;

    /// <summary>A 95 % interval stretched to level 1 − 2α, each side by itself, so that skewed intervals stay skewed.</summary>
    public static (double Low, double High) AtLevel(MeasuredMetric m, double alpha)
    {
        if (alpha == 0.025)
            return (m.Low, m.High);
        // Nothing is left to spend: no interval is wide enough, not even one without width.
        if (alpha <= 0)
            return (double.NegativeInfinity, double.PositiveInfinity);
        var stretch = NormalLaw.Quantile(1 - alpha) / Z95;
        double Side(double half) => half * stretch;
        return (m.Value - Side(m.Value - m.Low), m.Value + Side(m.High - m.Value));
    }

    /// <summary>One-sided p of "the value is at least the bound", from the interval's upper half: the test that belongs to the interval.</summary>
    public static double PBelow(MeasuredMetric m, double bound)
    {
        var error = (m.High - m.Value) / Z95;
        return error > 0 ? NormalLaw.Cumulative((m.Value - bound) / error) : m.Value < bound ? 0 : 1;
    }

    /// <summary>Standard deviation that one row adds, from the interval.</summary>
    public static double Spread(MeasuredMetric m) => (m.High - m.Low) / (2 * Z95) * Math.Sqrt(m.N);

    /// <summary>Rows beyond the ones at hand after which a true distance from the bound is seen with the policy's power; null when no number of rows is practical.</summary>
    public static int? MoreRows(double spread, double distance, int have, double alpha, double power)
    {
        if (!(spread > 0) || !(Math.Abs(distance) > 0) || alpha <= 0)
            return null;
        var needed = Power.RowsNeeded(spread, Math.Abs(distance), alpha, power, oneSided: true);
        return needed > MostRows ? null : (int)Math.Max(1, needed - have);
    }

    public static string Needs(int? rows) => rows is { } n ? $": {n.ToString("N0", CultureInfo.InvariantCulture)} more rows are needed" : "";

    public static string P(double p) => p < 0.0001 ? "< 0.0001" : p.ToString("0.####", CultureInfo.InvariantCulture);

    public static string Number(double value) => value.ToString(Math.Abs(value) >= 1000 ? "N0" : "0.####", CultureInfo.InvariantCulture);

    public static string Level(double alpha) => $"{(100 * (1 - 2 * alpha)).ToString("0.##", CultureInfo.InvariantCulture)} % interval";
}

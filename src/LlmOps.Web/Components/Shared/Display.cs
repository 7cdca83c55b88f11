using System.Globalization;

namespace LlmOps.Web.Components.Shared;

/// <summary>Numbers as people read them; always with a unit, always invariant so that tables line up.</summary>
public static class Display
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>Binary units, three significant digits: <c>4.19 MiB</c>.</summary>
    public static string Bytes(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        double value = bytes;
        var unit = 0;
        for (; Math.Abs(value) >= 1024 && unit < units.Length - 1; unit++) value /= 1024;
        return unit == 0 ? $"{bytes} B" : $"{Significant(value, 3)} {units[unit]}";
    }

    /// <summary><c>480 ms</c>, <c>3.2 s</c>, <c>4 min 12 s</c>, <c>2 h 5 min</c>, <c>3 d 4 h</c>.</summary>
    public static string Duration(double ms)
    {
        if (ms < 0) return "–";
        if (ms < 9.95) return Significant(ms, 2) + " ms";
        if (ms < 999.5) return Math.Round(ms).ToString(Invariant) + " ms";
        if (ms < 9_950) return (ms / 1000).ToString("0.0", Invariant) + " s";
        var seconds = (long)Math.Round(ms / 1000);
        if (seconds < 60) return $"{seconds} s";
        if (seconds < 3600) return Pair(seconds / 60, "min", seconds % 60, "s");
        return seconds < 86400 ? Pair(seconds / 3600, "h", seconds % 3600 / 60, "min") : Pair(seconds / 86400, "d", seconds % 86400 / 3600, "h");
    }

    /// <summary>Counts with thin spaces between thousands: <c>12 480</c>.</summary>
    public static string Count(long count) => count.ToString("#,0", Invariant).Replace(',', '\u2009');

    /// <summary>Significant digits, not decimal places; decimals as many as they need (1.900, 218.0, 12480), very small and very large in powers of ten.</summary>
    public static string Number(double value, int digits = 4)
    {
        if (double.IsNaN(value)) return "–";
        if (value == 0) return "0";
        var size = Math.Abs(value);
        return size is < 1e-4 or >= 1e7 ? value.ToString("0." + new string('#', digits - 1) + "e+0", Invariant) : value.ToString("F" + Decimals(value, digits), Invariant);
    }

    public static string Signed(double value, int digits = 3) => value > 0 ? "+" + Short(value, digits) : value < 0 ? "−" + Short(-value, digits) : "±0";

    /// <summary>Like <see cref="Number"/> but without trailing zeros, for numbers that stand alone.</summary>
    public static string Short(double value, int digits = 4) => double.IsNaN(value) || Math.Abs(value) is < 1e-4 or >= 1e7 ? Number(value, digits) : Significant(value, digits);

    public static string Percent(double fraction, int decimals = 0) => (fraction * 100).ToString("F" + decimals, Invariant) + " %";

    /// <summary>How long before (or after) <paramref name="now"/>, in the words the browser uses later on.</summary>
    public static string Relative(DateTimeOffset at, DateTimeOffset now)
    {
        var past = now >= at;
        var gap = (now - at).Duration();
        if (gap < TimeSpan.FromSeconds(45)) return past ? "just now" : "in under a minute";
        var text = gap.TotalMinutes < 59.5 ? $"{Math.Max(1, Math.Round(gap.TotalMinutes))} min"
            : gap.TotalHours < 23.5 ? $"{Math.Round(gap.TotalHours)} h"
            : gap.TotalDays < 29.5 ? $"{Math.Round(gap.TotalDays)} d"
            : gap.TotalDays < 364 ? $"{Math.Round(gap.TotalDays / 30)} mo" : $"{Math.Round(gap.TotalDays / 365)} y";
        return past ? text + " ago" : "in " + text;
    }

    private static string Pair(long big, string bigUnit, long small, string smallUnit) => small == 0 ? $"{big} {bigUnit}" : $"{big} {bigUnit} {small} {smallUnit}";

    private static int Decimals(double value, int digits) => Math.Clamp(digits - 1 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 10);

    private static string Significant(double value, int digits)
    {
        if (value == 0) return "0";
        var decimals = Decimals(value, digits);
        return Math.Round(value, decimals).ToString("0." + new string('#', decimals), Invariant);
    }
}

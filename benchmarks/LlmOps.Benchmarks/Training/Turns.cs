using System.Globalization;

namespace LlmOps.Benchmarks.Training;

/// <summary>One side of a comparison: does a share of its work when asked and says how fast it was.</summary>
internal interface ISide : IDisposable
{
    string Name { get; }

    /// <summary>The next turn.</summary>
    Measured Turn();
}

/// <summary>What a turn did, how long it took and how much processor time; on a machine that others use as well, the latter says more.</summary>
internal readonly record struct Measured(double Work, double Seconds, double ProcessorSeconds)
{
    public double Speed => Work / Seconds;

    public double Cost => ProcessorSeconds / Work;
}

/// <summary>Measures sides in turns A, B, A, B … so that what else runs on the machine meets all of them, and compares within each round.</summary>
internal static class Turns
{
    /// <summary>
    /// Prints a table: medians, ranges, and each round's ratio to the first side, of speed and of work per second of processor time. The first round
    /// warms up.
    /// </summary>
    public static void Print(string title, string unit, int rounds, params ISide[] sides)
    {
        var results = sides.Select(_ => new List<Measured>()).ToArray();
        string load = Load();
        for (int round = 0; round <= rounds; round++)
        {
            for (int s = 0; s < sides.Length; s++)
            {
                Measured measured = sides[s].Turn();
                if (round > 0) results[s].Add(measured);
            }
        }
        Console.WriteLine($"\n{title}; n = {rounds}, load before {load}, after {Load()}\n\n| side | {unit} | ratio | ratio by processor time |\n|---|---|---|---|");
        for (int s = 0; s < sides.Length; s++)
        {
            List<Measured> of = results[s], first = results[0];
            Console.WriteLine(
                $"| {sides[s].Name} | {Text([.. of.Select(m => m.Speed)], "0")} | {Text([.. of.Select((m, i) => m.Speed / first[i].Speed)], "0.00")} | {Text([.. of.Select((m, i) => first[i].Cost / m.Cost)], "0.00")} |");
        }
        foreach (ISide side in sides) side.Dispose();
    }

    public static string Text(IReadOnlyList<double> values, string format)
    {
        double[] sorted = [.. values.Order()];
        double median = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        string Of(double value) => value.ToString(format, CultureInfo.InvariantCulture);
        return $"{Of(median)} ({Of(sorted[0])}–{Of(sorted[^1])})";
    }

    public static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "?";
}

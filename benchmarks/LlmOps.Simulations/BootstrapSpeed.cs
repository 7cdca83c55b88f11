using System.Diagnostics;
using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Simulations;

/// <summary>10,000 resamples of 100,000 rows: the library's way beside the plain loop on as many cores, in turns.</summary>
internal static class BootstrapSpeed
{
    private const int Rows = 100_000;
    private const int Resamples = 10_000;

    public static void Print(int rounds)
    {
        var random = new Random(1);
        var (a, b) = (new double[Rows], new double[Rows]);
        for (var i = 0; i < Rows; i++)
            (a[i], b[i]) = (random.NextDouble(), random.NextDouble());
        var difference = a.Zip(b, (x, y) => y - x).ToArray();
        var (ours, plain) = (new List<double>(), new List<double>());
        var (low, high, plainLow, plainHigh) = (0.0, 0.0, 0.0, 0.0);
        for (var round = 0; round <= rounds; round++)
        {
            var clock = Stopwatch.StartNew();
            var result = PairedComparison.Means(a, b, new() { Resamples = Resamples });
            var mine = clock.Elapsed.TotalSeconds;
            (low, high) = (result.Low, result.High);
            clock.Restart();
            (plainLow, plainHigh) = Plain(difference);
            // The first turn warms up.
            if (round == 0)
                continue;
            ours.Add(mine);
            plain.Add(clock.Elapsed.TotalSeconds);
        }
        Console.WriteLine($"{Resamples:N0} resamples × {Rows:N0} rows, {Environment.ProcessorCount} cores, {rounds} turns each");
        Console.WriteLine("| | median s | min – max | 95 % interval |\n|---|---|---|---|");
        Console.WriteLine($"| PairedComparison.Means (interval and permutation test) | {Median(ours):f3} | {ours.Min():f3} – {ours.Max():f3} | {low:f6} … {high:f6} |");
        Console.WriteLine($"| drawing indices, all cores | {Median(plain):f3} | {plain.Min():f3} – {plain.Max():f3} | {plainLow:f6} … {plainHigh:f6} |");
        Console.WriteLine($"ratio {Median(plain) / Median(ours):f1}");
    }

    private static (double Low, double High) Plain(double[] d)
    {
        var means = new double[Resamples];
        Parallel.For(0, Resamples, r =>
        {
            var random = new Random(r);
            var sum = 0.0;
            for (var i = 0; i < d.Length; i++)
                sum += d[random.Next(d.Length)];
            means[r] = sum / d.Length;
        });
        Array.Sort(means);
        return (means[(int)(0.025 * (Resamples - 1))], means[(int)(0.975 * (Resamples - 1))]);
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}

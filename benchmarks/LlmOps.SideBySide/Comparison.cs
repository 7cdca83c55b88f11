using System.Diagnostics;
using System.Globalization;

namespace LlmOps.SideBySide;

/// <summary>Measures engines in turns A/B/A/B and prints medians, ranges and the ratio of each turn to the first engine's.</summary>
internal static class Comparison
{
    public static void Print(int rounds, string[] specs)
    {
        var names = specs.Select(s => s.Split('=', 2)[0]).ToArray();
        var workers = specs.Select(s => Start(s.Split('=', 2)[1].Split(' '))).ToList();
        var results = specs.Select(_ => new List<(double Prefill, double Decode)>()).ToArray();
        var load = Load();
        for (var round = 0; round <= rounds; round++)
            for (var w = 0; w < workers.Count; w++)
            {
                var measured = Ask(workers[w]);
                if (round > 0) // the first round warms up
                    results[w].Add(measured);
            }
        foreach (var worker in workers)
        {
            worker.StandardInput.Close();
            worker.WaitForExit();
        }
        Console.WriteLine($"n {rounds}, load before {load}, after {Load()}");
        Console.WriteLine("| engine | prefill tok/s (min–max) | ratio (min–max) | decode tok/s (min–max) | ratio (min–max) |\n|---|---|---|---|---|");
        for (var w = 0; w < workers.Count; w++)
            Console.WriteLine($"| {names[w]} | {Text(results[w].Select(r => r.Prefill), "f0")} | {Text(results[w].Select((r, i) => r.Prefill / results[0][i].Prefill), "f2")} " +
                $"| {Text(results[w].Select(r => r.Decode), "f0")} | {Text(results[w].Select((r, i) => r.Decode / results[0][i].Decode), "f2")} |");
    }

    public static string Text(IEnumerable<double> values, string format)
    {
        var sorted = values.Order().ToArray();
        var median = sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2] + sorted[sorted.Length / 2 - 1]) / 2;
        return string.Create(CultureInfo.InvariantCulture, $"{median.ToString(format, CultureInfo.InvariantCulture)} ({sorted[0].ToString(format, CultureInfo.InvariantCulture)}–{sorted[^1].ToString(format, CultureInfo.InvariantCulture)})");
    }

    public static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "?";

    public static Process Child(string command, string[] spec)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [command, .. spec]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var variable in spec.Where(s => s.StartsWith("env:", StringComparison.Ordinal)))
            start.Environment[variable[4..].Split('=')[0]] = variable.Split('=')[1];
        return Process.Start(start)!;
    }

    private static Process Start(string[] spec)
    {
        var process = Child("worker", spec);
        var ready = process.StandardOutput.ReadLine();
        Console.Error.WriteLine($"{string.Join(' ', spec)}: {ready}");
        return ready is null ? throw new InvalidOperationException($"The worker '{string.Join(' ', spec)}' did not start.") : process;
    }

    private static (double, double) Ask(Process worker)
    {
        worker.StandardInput.WriteLine("run");
        var parts = (worker.StandardOutput.ReadLine() ?? throw new InvalidOperationException("A worker ended early.")).Split(' ');
        return (double.Parse(parts[0], CultureInfo.InvariantCulture), double.Parse(parts[1], CultureInfo.InvariantCulture));
    }
}

using System.Diagnostics;
using System.Globalization;

namespace LlmOps.SideBySide;

/// <summary>Time from nothing to a loaded model and to its first logits, in fresh processes that take turns.</summary>
internal static class StartUp
{
    public static void Child(string[] spec)
    {
        // What a serving process has behind it already: libraries loaded, our own code compiled.
        if (spec[0] == "ours")
            using (var tiny = Worker.Open([spec[0], Path.Combine(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(spec[1]))!, "tiny"), .. spec[2..]]))
                tiny.Append([1, 2, 3]);
        var clock = Stopwatch.StartNew();
        using var engine = Worker.Open(spec);
        var loaded = clock.Elapsed.TotalMilliseconds;
        engine.Append(Worker.Tokens(16));
        var first = clock.Elapsed.TotalMilliseconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{loaded} {first} {Environment.WorkingSet / 1048576.0}"));
    }

    public static void Print(int rounds, string[] specs)
    {
        var results = specs.Select(_ => new List<double[]>()).ToArray();
        for (var round = 0; round <= rounds; round++)
            for (var s = 0; s < specs.Length; s++)
            {
                using var child = Comparison.Child("load", specs[s].Split('=', 2)[1].Split(' '));
                var line = child.StandardOutput.ReadToEnd().Trim();
                child.WaitForExit();
                if (round > 0) // the first round fills the page cache
                    results[s].Add([.. line.Split(' ').Select(n => double.Parse(n, CultureInfo.InvariantCulture))]);
            }
        Console.WriteLine($"n {rounds}, load average {Comparison.Load()}");
        Console.WriteLine("| model | loaded, ms (min–max) | ratio (min–max) | 16 tokens later, ms (min–max) | ratio (min–max) | resident, MiB |\n|---|---|---|---|---|---|");
        for (var s = 0; s < specs.Length; s++)
            Console.WriteLine($"| {specs[s].Split('=')[0]} | {Comparison.Text(results[s].Select(r => r[0]), "f0")} | {Comparison.Text(results[s].Select((r, i) => r[0] / results[0][i][0]), "f2")} " +
                $"| {Comparison.Text(results[s].Select(r => r[1]), "f0")} | {Comparison.Text(results[s].Select((r, i) => r[1] / results[0][i][1]), "f2")} | {Comparison.Text(results[s].Select(r => r[2]), "f0")} |");
    }
}

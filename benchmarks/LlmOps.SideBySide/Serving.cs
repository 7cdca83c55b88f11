using System.Diagnostics;
using System.Globalization;

namespace LlmOps.SideBySide;

/// <summary>One stream and eight streams at once, engines in turns: total tokens in a second, and how long a request waits for its first token.</summary>
internal static class Serving
{
    private const int Many = 8;

    public static IStreams Open(string[] spec)
    {
        var settings = spec[2..].Select(s => s.Split('=', 2)).ToDictionary(s => s[0], s => s.Length > 1 ? s[1] : "");
        if (spec[0] == "llama")
            return new LlamaStreams(Environment.GetEnvironmentVariable("LLAMA_CPP") ?? throw new InvalidOperationException("Set LLAMA_CPP to the folder with libllama."), spec[1], settings);
        ManyTokens.Write(spec[1]);
        return new OurStreams(spec[1], settings);
    }

    /// <summary>A process that holds one engine: each line "STREAMS SECONDS [PICTURE]" is a turn.</summary>
    public static void Work(string[] spec)
    {
        using var engine = Open(spec);
        engine.Run(2, 0.5);
        Console.WriteLine("ready");
        while (Console.ReadLine() is { } line)
        {
            var parts = line.Split(' ');
            var result = engine.Run(int.Parse(parts[0]), double.Parse(parts[1], CultureInfo.InvariantCulture));
            if (parts.Length > 2 && engine.Steps.Count > 0)
                File.WriteAllText(parts[2], BatchPicture.Svg(engine.Steps, double.Parse(parts[1], CultureInfo.InvariantCulture)));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.TokensPerSecond} {string.Join(',', result.FirstMs)}"));
        }
    }

    public static void Print(int rounds, double seconds, string? picture, string[] specs)
    {
        var names = specs.Select(s => s.Split('=', 2)[0]).ToArray();
        var workers = specs.Select(s => Comparison.Child("serve-worker", s.Split('=', 2)[1].Split(' '))).ToList();
        foreach (var worker in workers)
            if (worker.StandardOutput.ReadLine() != "ready")
                throw new InvalidOperationException("A worker did not start.");
        var (one, many) = (names.Select(_ => new List<(double Rate, double[] First)>()).ToArray(), names.Select(_ => new List<(double Rate, double[] First)>()).ToArray());
        var load = Comparison.Load();
        for (var round = 0; round < rounds; round++)
            for (var w = 0; w < workers.Count; w++)
            {
                one[w].Add(Ask(workers[w], 1, seconds, null));
                many[w].Add(Ask(workers[w], Many, seconds, round == rounds - 1 && w == 0 ? picture : null));
            }
        foreach (var worker in workers)
        {
            worker.StandardInput.Close();
            worker.WaitForExit();
        }
        Console.WriteLine($"n {rounds}, turns of {seconds:f0} s, load before {load}, after {Comparison.Load()}");
        Console.WriteLine("| engine | 1 stream, tokens/s | 8 streams, tokens/s | ratio to 1 stream | ratio to the first engine's 8 | first token, 1 stream, ms: median, p95 | 8 streams | ratio of the p95 |\n|---|---|---|---|---|---|---|---|");
        for (var w = 0; w < workers.Count; w++)
        {
            double[] alone = [.. one[w].SelectMany(r => r.First).Order()], together = [.. many[w].SelectMany(r => r.First).Order()];
            Console.WriteLine($"| {names[w]} | {Comparison.Text(one[w].Select(r => r.Rate), "f0")} | {Comparison.Text(many[w].Select(r => r.Rate), "f0")} | {Comparison.Text(many[w].Select((r, i) => r.Rate / one[w][i].Rate), "f2")} " +
                $"| {Comparison.Text(many[w].Select((r, i) => r.Rate / many[0][i].Rate), "f2")} | {Part(alone, 0.5):f0}, {Part(alone, 0.95):f0} (n {alone.Length}) | {Part(together, 0.5):f0}, {Part(together, 0.95):f0} (n {together.Length}) | {Part(together, 0.95) / Part(alone, 0.95):f2} |");
        }
    }

    // Nearest rank.
    private static double Part(double[] sorted, double share) => sorted.Length == 0 ? double.NaN : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];

    private static (double, double[]) Ask(Process worker, int streams, double seconds, string? picture)
    {
        worker.StandardInput.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{streams} {seconds}{(picture is null ? "" : " " + picture)}"));
        var parts = (worker.StandardOutput.ReadLine() ?? throw new InvalidOperationException("A worker ended early.")).Split(' ');
        return (double.Parse(parts[0], CultureInfo.InvariantCulture), [.. parts[1].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(v => double.Parse(v, CultureInfo.InvariantCulture))]);
    }
}

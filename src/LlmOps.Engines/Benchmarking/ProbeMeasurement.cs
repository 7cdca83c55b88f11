using System.Diagnostics;
using System.Globalization;
using LlmOps.Engines.Inference;
using LlmOps.Engines.SmallModels;

namespace LlmOps.Engines.Benchmarking;

/// <summary>One value of every measure, taken inside the fresh process.</summary>
internal sealed record ProbeMeasurement(double LoadMs, double FirstTokenMs, double PrefillTokensPerSecond, double? DecodeTokensPerSecond, double LatencyMs,
    double PeakMemoryBytes, double BaselineMemoryBytes)
{
    public static ProbeMeasurement Take(ProbeRequest request)
    {
        if (SmallModelConfig.TryRead(request.Folder) is { } small)
            return OfSmallModel(request, small);
        var baseline = PeakMemory();
        var clock = Stopwatch.StartNew();
        using var generator = TextGenerator.Load(request.Folder, new SessionSettings(request.Threads, OptimizationLevel: request.OptimizationLevel) { PrefixCacheBytes = 0 });
        var load = clock.Elapsed.TotalMilliseconds;
        if (request.PromptTokens + request.NewTokens > generator.Config.MaxPositionEmbeddings)
            throw new ArgumentException($"{request.PromptTokens} prompt and {request.NewTokens} new tokens do not fit into the context of {generator.Config.MaxPositionEmbeddings}.");
        var random = new Random(0);
        var prompt = Enumerable.Range(0, request.PromptTokens).Select(_ => random.Next(generator.Config.VocabSize)).ToArray();
        var options = new SamplingOptions(request.NewTokens, MinNewTokens: request.NewTokens);

        var (cold, _) = Time(generator, prompt, options);
        var (first, all) = Time(generator, prompt, options);
        return new(load, cold, request.PromptTokens / (first / 1000), request.NewTokens == 1 ? null : (request.NewTokens - 1) / ((all - first) / 1000), all, PeakMemory(), baseline);
    }

    /// <summary>A model that makes no tokens: the first and the following run on one random row; there is no prompt and nothing to decode.</summary>
    private static ProbeMeasurement OfSmallModel(ProbeRequest request, SmallModelConfig config)
    {
        const int warm = 20;
        var baseline = PeakMemory();
        var clock = Stopwatch.StartNew();
        using var session = SmallModelSession.Open(request.Folder, new SessionSettings(request.Threads, OptimizationLevel: request.OptimizationLevel));
        var load = clock.Elapsed.TotalMilliseconds;
        var inputs = SmallModelInputs.Random(config, 1, new Random(0));
        clock.Restart();
        session.Run(inputs);
        var first = clock.Elapsed.TotalMilliseconds;
        clock.Restart();
        for (var i = 0; i < warm; i++)
            session.Run(inputs);
        return new(load, first, 0, null, clock.Elapsed.TotalMilliseconds / warm, PeakMemory(), baseline);
    }

    internal static (double FirstMs, double AllMs) Time(TextGenerator generator, int[] prompt, SamplingOptions options)
    {
        double first = 0;
        var clock = Stopwatch.StartNew();
        foreach (var _ in generator.Generate(prompt, options))
            first = first == 0 ? clock.Elapsed.TotalMilliseconds : first;
        return (first, clock.Elapsed.TotalMilliseconds);
    }

    /// <summary>Linux counts the peak anew after this, where the process may ask for it; otherwise it stays that of the whole process.</summary>
    internal static void ForgetPeakMemory()
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // a kernel without it, or a sandbox that forbids it
        }
    }

    internal static double PeakMemory()
    {
        const string key = "VmHWM:";
        if (OperatingSystem.IsLinux() && File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal)) is { } line)
            return 1024 * double.Parse(line[key.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}

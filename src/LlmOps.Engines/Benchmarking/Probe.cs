using System.Text.Json;
using LlmOps.Engines.Inference;

namespace LlmOps.Engines.Benchmarking;

/// <summary>
/// Looks at a model in processes of its own: memory and start-up inside a running server would be the server's, and a written model is
/// proven only where nothing of its making is left. The process is this program again, which therefore calls <see cref="TryMain"/> first.
/// </summary>
public static class Probe
{
    internal const string MeasureArgument = "--probe", CompareArgument = "--probe-compare", TimeArgument = "--probe-requests";

    /// <summary>Whether this program can be started again to look at a model: its <c>Main</c> has called <see cref="TryMain"/>.</summary>
    public static bool HasEntry { get; private set; }

    /// <summary>
    /// To be called before anything else in <c>Main</c>: when the arguments ask for a measurement or for the check of a written model, makes
    /// it and prints the result.
    /// </summary>
    /// <returns>True when the program has done its work and should end.</returns>
    public static bool TryMain(string[] args)
    {
        HasEntry = true;
        return args is [MeasureArgument, var measure] ? FreshProcess.Answer<ProbeRequest, ProbeMeasurement>(measure, ProbeMeasurement.Take)
            : args is [TimeArgument, var time] ? FreshProcess.Answer<string, TimedRequests>(time, file => TimedRequests.Take(JsonSerializer.Deserialize<RequestsToTime>(File.ReadAllText(file))!))
            : args is [CompareArgument, var compare] && FreshProcess.Answer<ReloadRequest, ReloadDifference>(compare, ReloadCheck.CompareHere);
    }

    /// <summary>Starts one process per repeat, one after the other.</summary>
    /// <param name="request">What to measure.</param>
    /// <param name="ct">Kills the process under way.</param>
    /// <exception cref="ArgumentException">A number of the request is out of range.</exception>
    /// <exception cref="InvalidModelException">The folder cannot be loaded or run; the message is the process's own.</exception>
    public static ProbeReport Run(ProbeRequest request, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(request.Repeats, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.PromptTokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.NewTokens, 1);
        var json = JsonSerializer.Serialize(request with { Folder = Path.GetFullPath(request.Folder) });
        if (request.Program is { } program && !File.Exists(program))
            throw new ArgumentException($"There is no program '{Path.GetFileName(program)}' to measure with.", nameof(request));
        var taken = Enumerable.Range(0, request.Repeats).Select(_ => FreshProcess.Run<ProbeMeasurement>(request.Program, MeasureArgument, json, ct)).ToList();
        double[] All(Func<ProbeMeasurement, double> value) => [.. taken.Select(value)];
        return new(All(m => m.LoadMs), All(m => m.FirstTokenMs), [.. taken.Select(m => m.PrefillTokensPerSecond).Where(rate => rate > 0)], [.. taken.Select(m => m.DecodeTokensPerSecond).OfType<double>()],
            All(m => m.LatencyMs), All(m => m.PeakMemoryBytes), All(m => m.BaselineMemoryBytes));
    }

    /// <summary>Answers requests in one fresh process, one after the other, and measures each.</summary>
    /// <param name="request">What to ask.</param>
    /// <param name="ct">Kills the process.</param>
    /// <exception cref="ArgumentException">There is no request, or a number is out of range.</exception>
    /// <exception cref="InvalidModelException">The folder cannot be loaded or run; the message is the process's own.</exception>
    public static TimedRequests Time(RequestsToTime request, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(request.Repeats, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.NewTokens, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(request.Warmup);
        ArgumentOutOfRangeException.ThrowIfNegative(request.Threads);
        if (request.Prompts.Count == 0 || request.Prompts.Any(p => p.Length == 0))
            throw new ArgumentException("At least one request is needed, and each has at least one token.", nameof(request));
        // Prompts may be longer than a command line.
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, JsonSerializer.Serialize(request with { Folder = Path.GetFullPath(request.Folder) }));
            return FreshProcess.Run<TimedRequests>(request.Program, TimeArgument, JsonSerializer.Serialize(file), ct);
        }
        finally
        {
            File.Delete(file);
        }
    }
}

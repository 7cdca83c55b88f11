using System.Diagnostics;
using LlmOps.Engines.Inference;

namespace LlmOps.Engines.Benchmarking;

/// <summary>Requests that a fresh process answers one after the other, with nothing kept from one to the next.</summary>
/// <param name="Folder">An ONNX folder with tokenizer.</param>
/// <param name="Prompts">Token ids of each request.</param>
/// <param name="NewTokens">Tokens that each answer has; the end token is suppressed, so that every model does the same work.</param>
/// <param name="Warmup">Requests before the first one that counts.</param>
/// <param name="Repeats">How often each request is made. The rounds follow each other, so that a machine that slows down slows all requests.</param>
/// <param name="Threads">Threads of the session; 0 means one per processor.</param>
/// <param name="Program">As in <see cref="ProbeRequest"/>.</param>
public sealed record RequestsToTime(string Folder, IReadOnlyList<int[]> Prompts, int NewTokens, int Warmup = 2, int Repeats = 1, int Threads = 0, string? Program = null);

/// <summary>One request, one value for each repeat.</summary>
/// <param name="FirstTokenMs">From the request to its first token, in milliseconds.</param>
/// <param name="LatencyMs">To its last token, in milliseconds.</param>
/// <param name="PeakMemoryBytes">Largest resident memory of the process while it was answered, runtime and model included (Linux; elsewhere, or where the system does not let the process begin anew, since its start).</param>
public sealed record RequestTimes(double[] FirstTokenMs, double[] LatencyMs, double PeakMemoryBytes);

/// <summary>What one process measured.</summary>
/// <param name="Requests">In the order of the prompts.</param>
/// <param name="LoadMs">From nothing to ready, in milliseconds.</param>
/// <param name="Machine">What it ran on (<see cref="MachineDescription"/>).</param>
public sealed record TimedRequests(IReadOnlyList<RequestTimes> Requests, double LoadMs, string Machine)
{
    internal static TimedRequests Take(RequestsToTime request)
    {
        var clock = Stopwatch.StartNew();
        using var generator = TextGenerator.Load(request.Folder, new SessionSettings(request.Threads) { PrefixCacheBytes = 0 });
        var load = clock.Elapsed.TotalMilliseconds;
        var options = new SamplingOptions(request.NewTokens, MinNewTokens: request.NewTokens);
        for (var i = 0; i < request.Warmup; i++)
            ProbeMeasurement.Time(generator, request.Prompts[i % request.Prompts.Count], options);
        var taken = request.Prompts.Select(_ => new RequestTimes(new double[request.Repeats], new double[request.Repeats], 0)).ToArray();
        for (var round = 0; round < request.Repeats; round++)
            for (var i = 0; i < taken.Length; i++)
            {
                ProbeMeasurement.ForgetPeakMemory();
                (taken[i].FirstTokenMs[round], taken[i].LatencyMs[round]) = ProbeMeasurement.Time(generator, request.Prompts[i], options);
                taken[i] = taken[i] with { PeakMemoryBytes = Math.Max(taken[i].PeakMemoryBytes, ProbeMeasurement.PeakMemory()) };
            }
        return new(taken, load, MachineDescription.Here(request.Threads));
    }
}

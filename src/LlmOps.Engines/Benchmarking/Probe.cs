using System.Diagnostics;
using System.Reflection;
using System.Text.Json;

namespace LlmOps.Engines.Benchmarking;

/// <summary>
/// Measures a model in processes of its own: memory and start-up inside a running server would be the server's. The process is this
/// program again, which therefore calls <see cref="TryMain"/> first.
/// </summary>
public static class Probe
{
    private const string Argument = "--probe", ResultMark = "probe-result:", ErrorMark = "probe-error:";

    /// <summary>To be called before anything else in <c>Main</c>: when the arguments ask for a measurement, makes it and prints the result.</summary>
    /// <returns>True when the program has done its work and should end.</returns>
    public static bool TryMain(string[] args)
    {
        if (args is not [Argument, var json])
            return false;
        try
        {
            var request = JsonSerializer.Deserialize<ProbeRequest>(json) ?? throw new ArgumentException("The request is empty.");
            Console.WriteLine(ResultMark + JsonSerializer.Serialize(ProbeMeasurement.Take(request)));
        }
        catch (Exception e)
        {
            // The parent process turns this into an exception of its own.
            Console.WriteLine(ErrorMark + JsonSerializer.Serialize($"{e.GetType().Name}: {e.Message}"));
            Environment.ExitCode = 1;
        }
        return true;
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
        var taken = Enumerable.Range(0, request.Repeats).Select(_ => RunOnce(request.Program, json, ct)).ToList();
        double[] All(Func<ProbeMeasurement, double> value) => [.. taken.Select(value)];
        return new(All(m => m.LoadMs), All(m => m.FirstTokenMs), All(m => m.PrefillTokensPerSecond), [.. taken.Select(m => m.DecodeTokensPerSecond).OfType<double>()],
            All(m => m.LatencyMs), All(m => m.PeakMemoryBytes), All(m => m.BaselineMemoryBytes));
    }

    private static ProcessStartInfo Command(string? named, string json)
    {
        var own = Environment.ProcessPath ?? throw new InvalidOperationException("The path of this program is unknown.");
        var underDotnet = Path.GetFileNameWithoutExtension(own) == "dotnet";
        var library = named is null ? (underDotnet ? Assembly.GetEntryAssembly()!.Location : null)
            : named.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? named : null;
        var program = library is null ? named ?? own : underDotnet ? own : "dotnet";
        return new ProcessStartInfo(program, [.. library is null ? Array.Empty<string>() : [library], Argument, json])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
    }

    private static ProbeMeasurement RunOnce(string? program, string json, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var start = Command(program, json);
        using var process = Process.Start(start)!;
        using var cancelled = ct.Register(() => process.Kill(entireProcessTree: true));
        // Read beside each other: a full pipe would stop the process.
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.TrimEntries);
        process.WaitForExit();
        ct.ThrowIfCancellationRequested();
        if (lines.FirstOrDefault(line => line.StartsWith(ResultMark, StringComparison.Ordinal)) is { } result)
            return JsonSerializer.Deserialize<ProbeMeasurement>(result[ResultMark.Length..])!;
        var error = lines.FirstOrDefault(line => line.StartsWith(ErrorMark, StringComparison.Ordinal));
        throw new InvalidModelException(error is null
            ? $"The measuring process ended with code {process.ExitCode} and no result. {errors.Result.Trim()}"
            : $"The measuring process failed: {JsonSerializer.Deserialize<string>(error[ErrorMark.Length..])}");
    }
}

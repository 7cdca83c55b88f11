using System.Diagnostics;
using System.Reflection;
using System.Text.Json;

namespace LlmOps.Engines.Benchmarking;

/// <summary>One question to a process that was started for it: JSON as an argument, JSON on a marked line of its output.</summary>
internal static class FreshProcess
{
    private const string ResultMark = "probe-result:", ErrorMark = "probe-error:";
    // Outputs may hold values that JSON has no number for, and the parent wants to see them.
    private static readonly JsonSerializerOptions Json = new() { NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals };

    /// <summary>The child's side.</summary>
    public static bool Answer<TRequest, TResult>(string json, Func<TRequest, TResult> answer)
    {
        try
        {
            var request = JsonSerializer.Deserialize<TRequest>(json, Json) ?? throw new ArgumentException("The request is empty.");
            Console.WriteLine(ResultMark + JsonSerializer.Serialize(answer(request), Json));
        }
        catch (Exception e)
        {
            // The parent process turns this into an exception of its own.
            Console.WriteLine(ErrorMark + JsonSerializer.Serialize($"{e.GetType().Name}: {e.Message}"));
            Environment.ExitCode = 1;
        }
        return true;
    }

    /// <summary>The parent's side.</summary>
    /// <param name="program">The executable or .dll to start; null means this program.</param>
    /// <param name="argument">What is asked.</param>
    /// <param name="json">The request.</param>
    /// <param name="ct">Kills the process.</param>
    public static TResult Run<TResult>(string? program, string argument, string json, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        using var process = Process.Start(Command(program, argument, json))!;
        using var cancelled = ct.Register(() => process.Kill(entireProcessTree: true));
        // Read beside each other: a full pipe would stop the process.
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.TrimEntries);
        process.WaitForExit();
        ct.ThrowIfCancellationRequested();
        if (lines.FirstOrDefault(line => line.StartsWith(ResultMark, StringComparison.Ordinal)) is { } result)
            return JsonSerializer.Deserialize<TResult>(result[ResultMark.Length..], Json)!;
        var error = lines.FirstOrDefault(line => line.StartsWith(ErrorMark, StringComparison.Ordinal));
        throw new InvalidModelException(error is null
            ? $"The measuring process ended with code {process.ExitCode} and no result. {errors.Result.Trim()}"
            : $"The measuring process failed: {JsonSerializer.Deserialize<string>(error[ErrorMark.Length..])}");
    }

    private static ProcessStartInfo Command(string? named, string argument, string json)
    {
        var own = Environment.ProcessPath ?? throw new InvalidOperationException("The path of this program is unknown.");
        var underDotnet = Path.GetFileNameWithoutExtension(own) == "dotnet";
        var library = named is null ? (underDotnet ? Assembly.GetEntryAssembly()!.Location : null)
            : named.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? named : null;
        var program = library is null ? named ?? own : underDotnet ? own : "dotnet";
        return new ProcessStartInfo(program, [.. library is null ? Array.Empty<string>() : [library], argument, json])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
    }
}

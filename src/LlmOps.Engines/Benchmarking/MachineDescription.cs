using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Benchmarking;

/// <summary>
/// Says what a measurement of time or memory was made on: processor, number of processors that this process may use, memory, system, runtimes and threads. Two measurements with
/// the same description may be compared; it does not know what else ran on the machine, nor the clock that it ran at.
/// </summary>
public static class MachineDescription
{
    /// <summary>This machine, for a session of so many threads.</summary>
    /// <param name="threads">Threads of the session; 0 means one for each processor.</param>
    public static string Here(int threads)
    {
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1L << 30);
        var used = Threads(threads);
        return string.Create(CultureInfo.InvariantCulture, $"{Processor()}, {Environment.ProcessorCount} {(Environment.ProcessorCount == 1 ? "processor" : "processors")}, {memory:0} GiB, {System()} {RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}, .NET {Environment.Version}, ONNX Runtime {typeof(InferenceSession).Assembly.GetName().Version?.ToString(3)}, {used} {(used == 1 ? "thread" : "threads")}");
    }

    /// <summary>What 0 threads stand for.</summary>
    public static int Threads(int asked) => asked == 0 ? Environment.ProcessorCount : asked;

    private static string Processor()
    {
        const string key = "model name";
        if (OperatingSystem.IsLinux() && File.Exists("/proc/cpuinfo") && File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal)) is { } line && line.IndexOf(':', StringComparison.Ordinal) is > 0 and var at)
            return line[(at + 1)..].Trim();
        return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? "an unnamed processor";
    }

    private static string System() => OperatingSystem.IsLinux() ? "Linux" : OperatingSystem.IsWindows() ? "Windows" : OperatingSystem.IsMacOS() ? "macOS" : "another system";
}

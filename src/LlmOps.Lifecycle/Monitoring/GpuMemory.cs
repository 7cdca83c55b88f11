using System.Diagnostics;
using System.Globalization;

namespace LlmOps.Lifecycle.Monitoring;

/// <summary>Memory of the graphics processors of this machine, as NVIDIA's own program tells it. Without the program or a processor there is no metric, rather than one that says 0.</summary>
public static class GpuMemory
{
    private const string Program = "/usr/bin/nvidia-smi";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static IEnumerable<MetricFamily> Read() => File.Exists(Program) && Ask() is { } said ? Parse(said) : [];

    /// <summary>Lines of "index, used MiB, total MiB"; whatever else is said is no processor.</summary>
    public static IEnumerable<MetricFamily> Parse(string said)
    {
        var found = said.Split('\n').Select(l => l.Split(',', StringSplitOptions.TrimEntries)).Where(f => f.Length == 3 && f.All(n => long.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
            .Select(f => (Gpu: f[0], Used: Bytes(f[1]), Total: Bytes(f[2]))).ToList();
        return found.Count == 0 ? [] :
        [
            new("llmops_gpu_memory_used_bytes", MetricType.Gauge, "Memory of a graphics processor that is in use.", [.. found.Select(f => new MetricSample(f.Used, "", ("gpu", f.Gpu)))]),
            new("llmops_gpu_memory_bytes", MetricType.Gauge, "Memory that a graphics processor has.", [.. found.Select(f => new MetricSample(f.Total, "", ("gpu", f.Gpu)))]),
        ];
    }

    private static double Bytes(string mebibytes) => (double)long.Parse(mebibytes, CultureInfo.InvariantCulture) * (1 << 20);

    private static string? Ask()
    {
        using var process = Process.Start(new ProcessStartInfo(Program, ["--query-gpu=index,memory.used,memory.total", "--format=csv,noheader,nounits"]) { RedirectStandardOutput = true, RedirectStandardError = true });
        if (process is null)
            return null;
        var said = process.StandardOutput.ReadToEndAsync();
        if (process.WaitForExit(Patience))
            return process.ExitCode == 0 ? said.Result : null;
        process.Kill();
        return null;
    }
}

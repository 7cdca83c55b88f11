using System.Diagnostics;
using System.Globalization;
using LlmOps.Engines.Onnx;

namespace LlmOps.SideBySide;

/// <summary>Exports in fresh processes, in turns with a plain write of as many bytes to the same disk; both wait until the bytes are on it.</summary>
internal static class ExportSpeed
{
    public static void Child(string hf, string target)
    {
        // A worker that exports has compiled this code before.
        new DecoderExport().Run(Path.Combine(Path.GetDirectoryName(hf)!, "tiny-hf"), target + "-tiny");
        Directory.Delete(target + "-tiny", true);
        var clock = Stopwatch.StartNew();
        new DecoderExport().Run(hf, target);
        var seconds = clock.Elapsed.TotalSeconds;
        var peak = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seconds} {long.Parse(peak) / 1024.0}"));
    }

    public static void Print(int rounds, string folder)
    {
        var (hf, target, plain) = (Path.Combine(folder, "hf"), Path.Combine(folder, "export-speed"), Path.Combine(folder, "plain-write"));
        var results = new List<(double Export, double Write, double Peak)>();
        long bytes = 0;
        for (var round = 0; round <= rounds; round++)
        {
            if (Directory.Exists(target))
                Directory.Delete(target, true);
            using var child = Comparison.Child("export-child", [hf, target]);
            var numbers = child.StandardOutput.ReadToEnd().Trim().Split(' ').Select(n => double.Parse(n, CultureInfo.InvariantCulture)).ToArray();
            child.WaitForExit();
            bytes = new FileInfo(Path.Combine(target, "model.onnx.data")).Length;
            File.Delete(plain);
            var write = Write(plain, bytes);
            if (round > 0)
                results.Add((bytes / numbers[0] / 1e6, bytes / write / 1e6, numbers[1]));
        }
        Directory.Delete(target, true);
        File.Delete(plain);
        var config = RandomLlama.Config();
        var bound = 1.5 * config.VocabSize * config.HiddenSize * 4 / 1048576 + 300;
        Console.WriteLine($"n {rounds}, {bytes / 1e6:f0} MB, load average {Comparison.Load()}");
        Console.WriteLine("| export, MB/s (min–max) | plain write, MB/s (min–max) | ratio (min–max) | peak memory, MiB (min–max) | bound, MiB |\n|---|---|---|---|---|");
        Console.WriteLine($"| {Comparison.Text(results.Select(r => r.Export), "f0")} | {Comparison.Text(results.Select(r => r.Write), "f0")} | {Comparison.Text(results.Select(r => r.Export / r.Write), "f2")} " +
            $"| {Comparison.Text(results.Select(r => r.Peak), "f0")} | {bound:f0} |");
    }

    private static double Write(string path, long bytes)
    {
        var buffer = new byte[1 << 20];
        new Random(1).NextBytes(buffer); // zeros might be stored as holes
        var clock = Stopwatch.StartNew();
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1);
        for (long done = 0; done < bytes; done += buffer.Length)
            file.Write(buffer.AsSpan(0, (int)Math.Min(buffer.Length, bytes - done)));
        file.Flush(flushToDisk: true);
        return clock.Elapsed.TotalSeconds;
    }
}

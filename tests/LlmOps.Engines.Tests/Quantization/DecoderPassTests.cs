using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;

namespace LlmOps.Engines.Tests.Quantization;

/// <summary>The passes for any graph, on decoders in both forms.</summary>
public sealed class DecoderPassTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string Source(GraphForm form)
    {
        if (form == GraphForm.Contrib)
            return models.UntiedOnnx;
        var folder = models.New();
        new DecoderExport(form).Run(models.Untied, folder, ct: Ct);
        return folder;
    }

    private static CalibrationData Tokens(string folder)
    {
        var random = new Random(3);
        return CalibrationData.FromTokens(folder, Enumerable.Range(0, 8).Select(_ => Enumerable.Range(0, 24).Select(_ => random.Next(304)).ToArray()).ToList());
    }

    // model-engineering 2.9 asks for 5e-3 and 2e-2 of a trained model; random weights have no redundancy.
    [Theory]
    [InlineData(GraphForm.Contrib, false, false, 5e-3), InlineData(GraphForm.Portable, false, false, 5e-3)]
    [InlineData(GraphForm.Contrib, true, false, 5e-3), InlineData(GraphForm.Portable, true, false, 5e-3)]
    [InlineData(GraphForm.Contrib, false, true, 4e-2), InlineData(GraphForm.Portable, false, true, 4e-2)]
    public void HalfPrecision_KeepsLogitsClose(GraphForm form, bool halfCache, bool bfloat16, double tolerance)
    {
        var (source, target) = (Source(form), models.New());

        var report = new HalfPrecision(bfloat16, HalfCache: halfCache).Run(source, target, ct: Ct);

        TestContext.Current.TestOutputHelper?.WriteLine($"relative L2 {report.RelativeL2:g3}, bytes {(double)report.TargetBytes / report.SourceBytes:p0}, {report.Quantized} half\n{string.Join("\n", report.Notes)}");
        Assert.InRange(report.RelativeL2, 1e-6, tolerance);
        Assert.InRange((double)report.TargetBytes / report.SourceBytes, 0.4, 0.75);
        using var file = OnnxFile.Open(target);
        Assert.Equal(halfCache ? "float16" : "float32", file.Inspect().Inputs.Single(i => i.Name == "past_key_values.0.key").ElementType);
        Assert.Equal(halfCache ? "float16" : "float32", file.Inspect().Outputs.Single(o => o.Name == "present.1.value").ElementType);
        Assert.Equal("float32", file.Inspect().Outputs.Single(o => o.Name == "logits").ElementType);
        using var generator = TextGenerator.Load(target);
        Assert.Equal(6, generator.Generate([5, 6, 7], new SamplingOptions(6, MinNewTokens: 6)).Count());
    }

    [Theory, InlineData(GraphForm.Contrib), InlineData(GraphForm.Portable)]
    public void StaticQdqAndSmoothQuant_RunOnTokens(GraphForm form)
    {
        var source = Source(form);
        var data = Tokens(source);

        var smooth = new SmoothQuant { Calibration = data }.Run(source, models.New(), ct: Ct);
        var fixedRanges = new StaticQdq(Smooth: 0.5) { Calibration = data }.Run(source, models.New(), ct: Ct);

        Assert.InRange(smooth.RelativeL2, 1e-9, 5e-6);
        Assert.InRange(fixedRanges.RelativeL2, 1e-4, 0.2);
        Assert.Equal(data.Sha256(), fixedRanges.CalibrationSha256);
        // Norms are folded into, the product after attention is not reachable through it.
        Assert.DoesNotContain(smooth.Notes, n => n.StartsWith("0 inputs", StringComparison.Ordinal));
    }

    [Fact]
    public void FromTokens_NamesTheInputThatIsMissing()
    {
        var path = Path.Combine(models.New(), "m.onnx");
        Onnx.TestGraph.Write(Onnx.TestGraph.Model([Nodes.Node("Relu", "r", ["x"], ["y"])], [Nodes.Value("x", ElementTypes.Float, 2)], [Nodes.Value("y", ElementTypes.Float, 2)]), path);

        Assert.Contains("input_ids", Assert.Throws<UnsupportedModelException>(() => CalibrationData.FromTokens(path, [])).Message, StringComparison.Ordinal);
    }
}

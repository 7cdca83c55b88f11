using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Quantization;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class SensitivityScanTests(LanguageLikeModel model) : IClassFixture<LanguageLikeModel>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Run_MeasuresWhatAVariantWithOneQuantizedLayerWouldCost()
    {
        var rows = model.Rows.Take(4).ToList();
        var report = new SensitivityScan { Bits = [8, 4] }.Run(model.Onnx, rows, ct: Ct);

        Assert.Equal((4, 4 * 63), (report.Rows, report.Positions));
        Assert.Equal(8, report.Layers.Count); // qkv, o, gate and up together, down: twice
        Assert.All(report.Layers, layer =>
        {
            Assert.Equal([4, 8], layer.Measures.Select(m => m.Bits));
            Assert.InRange(layer.Measures[1].MeanKld, 0, layer.Measures[0].MeanKld / 10);
            Assert.InRange(layer.Measures[1].RelativeError, 1e-4, layer.Measures[0].RelativeError / 8);
        });
        Assert.Equal(["/model/layers.0/mlp/gate_proj/MatMul", "/model/layers.0/mlp/up_proj/MatMul"], report.Layers[2].Nodes.Order());

        // The same layer alone, as a real variant run by the real kernel.
        var variant = model.New();
        new BlockwiseRtn(AccuracyLevel: 1, HeadBits: 0) { Overrides = [new("layers.0/mlp/(gate|up)", 4), new(".", 0)] }.Run(model.Onnx, variant, ct: Ct);
        var measured = new VariantComparison { Resamples = 10 }.Run(model.Onnx, variant, rows, ct: Ct).MeanKld.Value;
        Assert.Equal(measured, report.Layers[2].Measures[0].MeanKld, 0.01 * measured);
    }

    [Fact]
    public void Plan_SpendsBytesWhereTheyWinMost()
    {
        static LayerSensitivity Layer(string name, long bytes, double four, double eight) => new([name], [new(4, bytes, four, 0.1), new(8, 2 * bytes, eight, 0.01)]);
        // Per byte: b wins 0.003, c 0.002, a 0.0001; d gets worse by chance.
        var report = new SensitivityReport(1, 1, [Layer("a", 1000, 0.1, 0.0), Layer("b", 100, 0.31, 0.01), Layer("c", 100, 0.2, 0.0), Layer("d", 50, 0.01, 0.02)]);

        var plan = MixedPrecision.Plan(report, 1450);

        Assert.Equal(["b", "c"], plan.Steps.SelectMany(s => s.Nodes));
        Assert.Equal([4, 8, 8, 4], plan.Overrides.Select(o => o.Bits));
        Assert.Equal((1450, 0.12), (plan.Bytes, Math.Round(plan.SummedKld, 9)));
        Assert.Equal(1350, MixedPrecision.Plan(report, 1449).Bytes);
        Assert.Equal(["b", "c", "a"], MixedPrecision.Plan(report, long.MaxValue).Steps.SelectMany(s => s.Nodes));
        Assert.Contains("1250 bytes", Assert.Throws<ArgumentException>(() => MixedPrecision.Plan(report, 1249)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Plan_MakesAVariantThatIsCloserThanFourBits_WithinItsBytes()
    {
        var report = new SensitivityScan().Run(model.Onnx, model.Rows.Take(6).ToList(), ct: Ct);
        long four = report.Layers.Sum(l => l.Measures[0].Bytes), eight = report.Layers.Sum(l => l.Measures[1].Bytes);
        var plan = MixedPrecision.Plan(report, (four + eight) / 2);

        string uniform = model.New(), mixed = model.New();
        new BlockwiseRtn().Run(model.Onnx, uniform, ct: Ct);
        var made = new BlockwiseRtn { Overrides = plan.Overrides }.Run(model.Onnx, mixed, ct: Ct);

        Assert.Equal(12, made.Quantized);
        Assert.InRange(plan.Bytes, four + 1, (four + eight) / 2);
        Assert.InRange(model.Kld(mixed), 0, 0.8 * model.Kld(uniform));
    }

    [Fact]
    public void Run_RefusesBitsThatTheKernelDoesNotKnow() =>
        Assert.Throws<ArgumentException>(() => new SensitivityScan { Bits = [3] }.Run(model.Onnx, model.Rows, ct: Ct));
}

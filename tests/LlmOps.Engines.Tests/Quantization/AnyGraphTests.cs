using System.Text.Json;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using LlmOps.Engines.Optimization;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.Tests.Onnx;
using static LlmOps.Engines.Onnx.Nodes;
using static LlmOps.Engines.Tests.Onnx.TestGraph;

namespace LlmOps.Engines.Tests.Quantization;

/// <summary>Passes on graphs that are no decoders.</summary>
public sealed class AnyGraphTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // Two convolutions, one of them depthwise, a Relu, a residual sum, pooling and a Gemm: what small image models are made of.
    private static ModelProto Convolutional(long opset = 17) => Model(
        [
            Node("Conv", "first", ["x", "w1", "b1"], ["c1"], Attribute("pads", 1, 1, 1, 1)), Node("Relu", "relu", ["c1"], ["r1"]),
            Node("Conv", "depthwise", ["r1", "wd"], ["d"], Attribute("pads", 1, 1, 1, 1), Attribute("group", 16L)),
            Node("Conv", "second", ["d", "w2", "b2"], ["c2"]), Node("Add", "residual", ["c2", "r1"], ["s"]),
            Node("GlobalAveragePool", "pool", ["s"], ["p"]), Node("Flatten", "flat", ["p"], ["f"]), Node("Gemm", "head", ["f", "w3", "b3"], ["y"], Attribute("transB", 1L)),
        ],
        [Value("x", ElementTypes.Float, "batch", 3, 12, 12)], [Value("y", ElementTypes.Float, "batch", 10)],
        [
            RandomFloats("w1", 1, 0.4, 16, 3, 3, 3), RandomFloats("b1", 2, 0.2, 16), RandomFloats("wd", 3, 0.4, 16, 1, 3, 3), RandomFloats("w2", 4, 0.4, 16, 16, 1, 1),
            RandomFloats("b2", 5, 0.2, 16), RandomFloats("w3", 6, 0.5, 10, 16), RandomFloats("b3", 7, 0.2, 10),
        ], opset);

    private string Source(ModelProto model) => model.Write(folder.At("source/any name.onnx"));

    private string Target => folder.At("target");

    private List<string> Ops()
    {
        using var model = OnnxModel.Load(Target);
        return [.. model.Proto.Graph.Node.Select(n => n.OpType)];
    }

    public static TheoryData<QuantizationPass, long, double> Passes => new()
    {
        { new DynamicInt8(), 17, 0.02 }, { new DynamicInt8(), 9, 0.02 }, { new DynamicInt8(PerChannel: false), 13, 0.03 },
        { new StaticQdq(), 17, 0.03 }, { new StaticQdq(), 9, 0.03 }, { new StaticQdq(MovingAverage: true), 17, 0.05 }, { new StaticQdq(CalibrationMethod.Percentile), 17, 0.04 },
        { new StaticQdq(CalibrationMethod.Entropy), 17, 0.1 }, { new StaticQdq(PerChannel: false), 12, 0.04 }, { new StaticQdq(SignedActivations: true), 17, 0.03 },
        { new StaticQdq(ReduceRange: true), 17, 0.04 }, { new StaticQdq(Symmetric: true), 17, 0.04 }, { new StaticQdq(OpTypes: ["Conv", "MatMul", "Gemm", "Add", "Mul"]), 17, 0.04 },
        { new HalfPrecision(), 17, 0.002 }, { new HalfPrecision(), 9, 0.002 }, { new HalfPrecision(BFloat16: true), 17, 0.02 }, { new HalfPrecision(NormsAndSoftmaxInFloat: true), 17, 0.002 },
    };

    [Theory, MemberData(nameof(Passes))]
    public void Run_KeepsOutputsClose_AtAnyOpset(QuantizationPass pass, long opset, double tolerance)
    {
        var report = pass.Run(Source(Convolutional(opset)), Target, ct: Ct);

        TestContext.Current.TestOutputHelper?.WriteLine($"relative L2 {report.RelativeL2:g3}, {string.Join(" ", report.Notes)}");
        Assert.InRange(report.RelativeL2, 1e-7, tolerance);
        Assert.True(report.FreshProcess && report.Quantized > 0);
        using var file = OnnxFile.Open(Target);
        Assert.Equal(pass, JsonSerializer.Deserialize<QuantizationPass>(file.Inspect().Metadata["llmops.quantization"]));
    }

    [Fact]
    public void StaticQdq_LetsTheRuntimeComputeInIntegers()
    {
        var data = CalibrationData.Random(Source(Convolutional()), 8);
        var report = new StaticQdq(OpTypes: ["Conv", "MatMul", "Gemm", "Add"]) { Calibration = data, Depthwise = true }.Run(folder.At("source/any name.onnx"), Target, ct: Ct);

        var profile = new OpProfile(Runs: 2).Run(Target, ct: Ct);

        var ops = profile.ByOp.Select(o => o.OpType).ToList();
        Assert.Contains("QLinearConv", ops);
        Assert.Contains("QLinearAdd", ops);
        Assert.DoesNotContain("Conv", ops);
        Assert.DoesNotContain("Relu", ops);
        Assert.Equal(data.Sha256(), report.CalibrationSha256);
        using var file = OnnxFile.Open(Target);
        Assert.Equal(data.Sha256(), file.Inspect().Metadata["llmops.calibration"]);
        Assert.Equal(5, report.Quantized);
    }

    [Fact]
    public void DynamicInt8_QuantizesConvAndGemm_AndSaysWhatItLeft()
    {
        var report = new DynamicInt8(Exclude: new(Names: ["^head$"])).Run(Source(Convolutional()), Target, ct: Ct);

        var ops = Ops();
        Assert.Equal((2, 1, 1), (ops.Count(o => o == "ConvInteger"), ops.Count(o => o == "Conv"), ops.Count(o => o == "Gemm")));
        Assert.Equal((2, 2), (report.Quantized, report.Skipped));
        Assert.Contains(report.Notes, n => n.Contains("'depthwise'", StringComparison.Ordinal));
        Assert.Contains(report.Notes, n => n.Contains("'head'", StringComparison.Ordinal));
        Assert.Throws<UnsupportedModelException>(() => new DynamicInt8(Exclude: new(OpTypes: ["Conv", "Gemm"])).Run(folder.At("source/any name.onnx"), folder.At("other"), ct: Ct));
    }

    [Fact]
    public void DynamicInt8_ScalesAGemmByItsAlpha_AndLeavesOneThatScalesItsBias()
    {
        var model = Model([Node("Gemm", "scaled", ["x", "w", "b"], ["h"], Attribute("alpha", 0.25f)), Node("Gemm", "beta", ["h", "v", "b"], ["y"], Attribute("beta", 2f))],
            [Value("x", ElementTypes.Float, 4, 32)], [Value("y", ElementTypes.Float, 4, 16)], [RandomFloats("w", 1, 1, 32, 16), RandomFloats("v", 2, 1, 16, 16), RandomFloats("b", 3, 1, 16)]);

        var report = new DynamicInt8().Run(Source(model), Target, ct: Ct);

        Assert.InRange(report.RelativeL2, 1e-5, 0.02);
        Assert.Equal((1, 1), (report.Quantized, report.Skipped));
    }

    [Fact]
    public void Raise_KeepsWhatOlderOperatorsMean()
    {
        var model = Model(
            [
                Node("Pad", "pad", ["x"], ["p"], Attribute("pads", 0, 0, 1, 2, 0, 0, 3, 1), Attribute("value", 0.5f)), Node("Clip", "clip", ["p"], ["c"], Attribute("min", -0.3f), Attribute("max", 0.6f)),
                Node("Clip", "below", ["c"], ["b"], Attribute("max", 0.55f)), Node("Slice", "slice", ["b"], ["s"], Attribute("starts", 1, 0), Attribute("ends", 100, -1), Attribute("axes", 2, 3)),
                Node("Upsample", "up", ["s", "scales"], ["u"], Attribute("mode", "nearest")), Node("Upsample", "linear", ["s", "scales"], ["l"], Attribute("mode", "linear")), Node("TopK", "top", ["u"], ["v", "i"], Attribute("k", 3L)),
            ],
            [Value("x", ElementTypes.Float, 1, 2, 5, 6)], [Value("v", ElementTypes.Float, 1, 2, "h", 3), Value("i", ElementTypes.Int64, 1, 2, "h", 3), Value("l", ElementTypes.Float, 1, 2, "h", "w")],
            [Floats("scales", [4], n => n < 2 ? 1 : 2)], opset: 9);
        var path = Source(model);
        using var before = GraphSession.Open(path);
        using var opened = OnnxModel.Load(path);

        OpsetUpgrade.Raise(opened, 11);

        Assert.Equal(11, opened.Proto.Opset());
        using var after = GraphSession.Open(opened.Proto.Write(folder.At("raised.onnx")));
        var inputs = new RandomInputs(1).Make(path);
        foreach (var (expected, found) in before.Run(inputs).Zip(after.Run(inputs)))
            Assert.Equal(expected.Bytes, found.Bytes);
    }

    [Fact]
    public void SmoothQuant_ChangesNothingButWhereOutliersAre()
    {
        // Channel 3 of the norm is 60 times the others: the case that static ranges fail at.
        var norm = Floats("scale", [32], n => n == 3 ? 60 : 1);
        var model = Model(
            [
                Node("LayerNormalization", "norm", ["x", "scale", "shift"], ["n"]), Node("MatMul", "up", ["n", "w1"], ["u"]), Node("Relu", "relu", ["u"], ["r"]), Node("MatMul", "down", ["r", "w2"], ["d"]),
                Node("Tanh", "tanh", ["d"], ["t"]), Node("MatMul", "last", ["t", "w3"], ["y"]),
            ],
            [Value("x", ElementTypes.Float, "batch", "length", 32)], [Value("y", ElementTypes.Float, "batch", "length", 8)],
            [norm, RandomFloats("shift", 2, 0.5, 32), RandomFloats("w1", 3, 0.3, 32, 48), RandomFloats("w2", 4, 0.1, 48, 16), RandomFloats("w3", 5, 0.5, 16, 8)]);
        var path = Source(model);
        var data = CalibrationData.Random(path, 16);

        var smoothed = new SmoothQuant { Calibration = data }.Run(path, folder.At("smooth"), ct: Ct);
        double Loss(double? alpha) => new StaticQdq(Smooth: alpha) { Calibration = data }.Run(path, folder.At($"static {alpha}"), ct: Ct).RelativeL2;

        Assert.InRange(smoothed.RelativeL2, 1e-9, 2e-6);
        Assert.Contains("2 inputs are scaled by the nodes before, 1 by a Mul.", smoothed.Notes);
        Assert.True(Loss(0.5) < Loss(null) / 2, $"{Loss(0.5)} against {Loss(null)}");
    }

    [Fact]
    public void HalfPrecision_KeepsNodesInFloat_ThatOverflowOrThatARuleNames()
    {
        var model = Model([Node("Mul", "large", ["x", "k"], ["h"]), Node("Mul", "small", ["h", "q"], ["m"]), Node("Add", "quiet", ["m", "m"], ["a"]), Node("Sin", "ruled", ["a"], ["y"])],
            [Value("x", ElementTypes.Float, "batch", 8)], [Value("y", ElementTypes.Float, "batch", 8)], [Floats("k", [8], _ => 50000), Floats("q", [8], _ => 1e-5f)]);
        var data = new CalibrationData([[NamedTensor.Of("x", [1f, 2, 3, 4, 5, 6, 7, 8], 1, 8)]]);

        var report = new HalfPrecision(Exclude: new(Names: ["ruled"])) { Calibration = data }.Run(Source(model), Target, ct: Ct);

        Assert.InRange(report.RelativeL2, 0, 2e-3);
        Assert.Contains(report.Notes, n => n.Contains("'h' reached 4e+05", StringComparison.Ordinal) && n.Contains("'large'", StringComparison.Ordinal));
        Assert.Contains(report.Notes, n => n.Contains("'small'", StringComparison.Ordinal));
        Assert.Contains(report.Notes, n => n.StartsWith("Sin: 1 nodes", StringComparison.Ordinal) && n.Contains("exclusion rule", StringComparison.Ordinal));
        Assert.Equal((1, 3), (report.Quantized, report.Skipped));
    }

    [Fact]
    public void HalfPrecision_GivesBodiesThe32BitValuesThatTheyRead()
    {
        GraphProto Branch(string name, string op) => new() { Name = name, Output = { new ValueInfoProto { Name = $"{name} out", Type = new() { TensorType = new() { ElemType = ElementTypes.Float } } } }, Node = { Node(op, $"{name} node", ["h"], [$"{name} out"]) } };
        var model = Model(
            [
                Node("MatMul", "product", ["x", "w"], ["h"]),
                new NodeProto { OpType = "If", Name = "if", Input = { "which" }, Output = { "z" }, Attribute = { new AttributeProto { Name = "then_branch", Type = 5, G = Branch("then", "Neg") }, new AttributeProto { Name = "else_branch", Type = 5, G = Branch("else", "Identity") } } },
                Node("Add", "sum", ["z", "h"], ["y"]),
            ],
            [Value("x", ElementTypes.Float, "batch", 32), Value("which", ElementTypes.Bool)], [Value("y", ElementTypes.Float, "batch", 16)], [RandomFloats("w", 1, 1, 32, 16)]);

        var report = new HalfPrecision().Run(Source(model), Target, ct: Ct);

        Assert.InRange(report.RelativeL2, 0, 2e-3);
        Assert.Contains(report.Notes, n => n.StartsWith("If: 1 nodes", StringComparison.Ordinal));
    }

    [Fact]
    public void HalfPrecision_ChangesInputsAndOutputs_WhenAsked()
    {
        var report = new HalfPrecision(KeepIoTypes: false).Run(Source(Convolutional()), Target, ct: Ct);

        using var file = OnnxFile.Open(Target);
        var seen = file.Inspect();
        Assert.Equal(("float16", "float16"), (seen.Inputs[0].ElementType, seen.Outputs[0].ElementType));
        Assert.DoesNotContain("Cast", seen.Nodes.Keys);
        Assert.InRange(report.RelativeL2, 1e-7, 0.002);
    }

    [Fact]
    public void HalfPrecision_StoresWeightsIn16Bits_WhereTheRuntimeHasNoKernel()
    {
        var report = new HalfPrecision(BFloat16: true).Run(Source(Convolutional()), Target, ct: Ct);

        Assert.Contains(report.Notes, n => n.StartsWith("Conv: 3 nodes", StringComparison.Ordinal) && n.Contains("no bfloat16 kernel", StringComparison.Ordinal));
        using var model = OnnxModel.Load(Target);
        Assert.Contains(model.Proto.Graph.Initializer, t => t.Name == "w1_half" && t.DataType == ElementTypes.BFloat16);
        Assert.Throws<UnsupportedModelException>(() => new HalfPrecision(BFloat16: true).Run(Source(Convolutional(12)), folder.At("other"), ct: Ct));
    }

    [Fact]
    public void Pass_IsKeptInJson_WithoutItsData()
    {
        foreach (var pass in new QuantizationPass[] { new StaticQdq(CalibrationMethod.Entropy, OpTypes: ["Conv"], Exclude: new(["a"])), new SmoothQuant(0.7), new HalfPrecision(BFloat16: true) })
            Assert.Equal(pass, JsonSerializer.Deserialize<QuantizationPass>(JsonSerializer.Serialize(pass)));
        Assert.Contains("\"Entropy\"", JsonSerializer.Serialize<QuantizationPass>(new StaticQdq(CalibrationMethod.Entropy)), StringComparison.Ordinal);
    }

    public static TheoryData<QuantizationPass> BadOptions =>
    [
        new StaticQdq(Percentile: 40), new StaticQdq(Bins: 100), new StaticQdq(CalibrationMethod.Entropy, MovingAverage: true), new StaticQdq(OpTypes: ["Softmax"]),
        new StaticQdq(Smooth: 1.5), new SmoothQuant(-0.1), new HalfPrecision(OverflowLimit: 1e6), new StaticQdq { Calibration = new CalibrationData([]) },
    ];

    [Theory, MemberData(nameof(BadOptions))]
    public void Run_RefusesOptionsThatMakeNoSense(QuantizationPass pass)
    {
        var path = Source(Model([Node("MatMul", "p", ["x", "w"], ["y"])], [Value("x", ElementTypes.Float, 2, 32)], [Value("y", ElementTypes.Float, 2, 16)], [RandomFloats("w", 1, 1, 32, 16)]));

        Assert.Throws<ArgumentException>(() => pass.Run(path, Target, ct: Ct));
        Assert.Equal(["source"], Directory.EnumerateFileSystemEntries(folder.Root).Select(Path.GetFileName));
    }

    public void Dispose() => folder.Dispose();
}

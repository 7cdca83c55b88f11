using System.Runtime.InteropServices;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using LlmOps.Engines.Quantization;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class Int8PrefillTests(ExportedModels models)
{
    private static readonly int[] Tokens = [.. Enumerable.Range(0, 60).Select(i => 5 + i * 37 % 290)];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // Tolerances: about 1.5 times the measured relative error of the logits after a prompt; activations lose the most.
    public static TheoryData<BlockwiseRtn, bool, double> Sources => new()
    {
        { new BlockwiseRtn(), true, 0.07 }, { new BlockwiseRtn(4, 64, Symmetric: true, HeadBits: 4), false, 0.07 }, { new BlockwiseRtn(Bits: 8), true, 0.07 },
        { new BlockwiseRtn(Bits: 2, HeadBits: 8), true, 0.07 },
    };

    [Theory, MemberData(nameof(Sources))]
    public void Run_AddsAGraphForPrompts_ThatSharesTheCacheWithTheOther(BlockwiseRtn weights, bool tied, double tolerance)
    {
        var (source, target) = (models.New(), models.New());
        weights.Run(tied ? models.TiedOnnx : models.UntiedOnnx, source, ct: Ct);

        var report = new Int8Prefill().Run(source, target, ct: Ct);

        TestContext.Current.TestOutputHelper?.WriteLine($"relative L2 {report.RelativeL2:g3}, argmax {report.ArgmaxAgreement:p1}, bytes {report.SourceBytes} -> {report.TargetBytes}");
        Assert.Equal((11, 0), (report.Quantized, report.Skipped));
        Assert.True(report.FreshProcess);
        Assert.InRange(report.RelativeL2, 1e-6, tolerance);
        using DecoderSession before = DecoderSession.Open(source, null), after = DecoderSession.Open(target, null);
        Assert.True(after.Prefill!.Form.LastLogitsOnly);
        using CachedDecoder expected = new(before), actual = new(after);
        expected.Start(60);
        actual.Start(60);
        var difference = new LogitDifference();
        // 50 tokens through the second graph, then single ones through the first, then a continuation through the second again.
        foreach (var (start, count) in new[] { (0, 50), (50, 1), (51, 1), (52, 8) })
            difference.Add(expected.Append(Tokens.AsSpan(start, count), Ct), actual.Append(Tokens.AsSpan(start, count), Ct), 304);
        Assert.InRange(difference.RelativeL2, 1e-6, tolerance);
    }

    [Theory]
    [InlineData(4, true), InlineData(4, false), InlineData(8, false), InlineData(2, false)]
    public void Run_KeepsEveryWeightWithinHalfAStepOfTheRow(int bits, bool symmetric)
    {
        var (source, target) = (models.New(), models.New());
        new BlockwiseRtn(bits, 16, symmetric, HeadBits: 8).Run(models.TiedOnnx, source, ct: Ct);
        new Int8Prefill().Run(source, target, ct: Ct);

        using OnnxModel packed = OnnxModel.Load(source), prefill = OnnxModel.Load(Path.Combine(target, "prefill.onnx"));
        var product = packed.Proto.Graph.Node.First(n => n.OpType == "MatMulNBits" && n.Name.Contains("down_proj", StringComparison.Ordinal));
        int inputs = (int)product.Integer("K", 0), outputs = (int)product.Integer("N", 0), blocks = inputs / 16;
        var scales = MemoryMarshal.Cast<byte, float>(packed.Bytes(packed.Initializers[product.Input[2]]));
        var levels = packed.Bytes(packed.Initializers[product.Input[1]]);
        var zeros = symmetric ? default : packed.Bytes(packed.Initializers[product.Input[3]]);
        var integers = MemoryMarshal.Cast<byte, sbyte>(prefill.Bytes(prefill.Initializers[product.Input[1] + "/int8"]));
        var steps = MemoryMarshal.Cast<byte, float>(prefill.Bytes(prefill.Initializers[product.Input[1] + "/row_scale"]));
        for (var row = 0; row < outputs; row++)
            for (var i = 0; i < inputs; i++)
            {
                var zero = symmetric ? 1 << (bits - 1) : Unpack(zeros[(row * ((blocks * bits + 7) / 8))..], i / 16, bits);
                var weight = (Unpack(levels[(row * inputs * bits / 8)..], i, bits) - zero) * scales[row * blocks + i / 16];
                Assert.InRange(Math.Abs(integers[i * outputs + row] * steps[row] - weight), 0, steps[row] * 0.501f);
            }

        static int Unpack(ReadOnlySpan<byte> bytes, int i, int bits) => bytes[i * bits / 8] >> (i * bits % 8) & ((1 << bits) - 1);
    }

    [Fact]
    public void Run_StoresOneByteForEachWeight_AndNothingElseTwice()
    {
        var (source, target) = (models.New(), models.New());
        new BlockwiseRtn().Run(models.TiedOnnx, source, ct: Ct);
        new Int8Prefill().Run(source, target, ct: Ct);

        using var prefill = OnnxModel.Load(Path.Combine(target, "prefill.onnx"));
        var own = prefill.Proto.Graph.Initializer.Where(t => ExternalData.Entry(t, "location") == "prefill.onnx.data").ToList();
        Assert.All(own, t => Assert.Matches("/(int8|row_scale)$", t.Name));
        Assert.Equal(11, own.Count(t => t.DataType == ElementTypes.Int8));
        Assert.Contains(prefill.Proto.Graph.Initializer, t => ExternalData.Entry(t, "location") == "model.onnx.data");
        Assert.Equal(File.ReadAllBytes(Path.Combine(source, "model.onnx")), File.ReadAllBytes(Path.Combine(target, "model.onnx")));
        Assert.True(File.Exists(Path.Combine(target, "tokenizer.json")));
    }

    [Fact]
    public void Run_RefusesAFolderWithoutPackedWeights()
    {
        var target = models.New();

        var e = Assert.Throws<UnsupportedModelException>(() => new Int8Prefill().Run(models.TiedOnnx, target, ct: Ct));

        Assert.Contains("BlockwiseRtn", e.Message);
        Assert.False(Directory.Exists(target));
    }

    [Fact]
    public void Run_NamesTheNodeWhoseWeightsHaveTheWrongSize()
    {
        var (source, target) = (models.New(), models.New());
        new BlockwiseRtn().Run(models.TiedOnnx, source, ct: Ct);
        var path = Path.Combine(source, "model.onnx");
        var proto = ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));
        var damaged = proto.Graph.Node.First(n => n.OpType == "MatMulNBits");
        damaged.Attribute.First(a => a.Name == "N").I++;
        File.WriteAllBytes(path, Google.Protobuf.MessageExtensions.ToByteArray(proto));

        var e = Assert.Throws<InvalidModelException>(() => new Int8Prefill().Run(source, target, ct: Ct));

        Assert.Contains(damaged.Name, e.Message);
        Assert.False(Directory.Exists(target));
    }

    [Fact]
    public void TryCut_LeavesTheLastLogitsAsTheyAre()
    {
        var folder = models.TiedOnnx;
        var cut = models.Copy(folder);
        var path = Path.Combine(cut, "model.onnx");
        var proto = ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));
        Assert.True(LastPosition.TryCut(proto.Graph));
        File.WriteAllBytes(path, Google.Protobuf.MessageExtensions.ToByteArray(proto));

        using DecoderSession whole = DecoderSession.Open(folder, null), last = DecoderSession.Open(cut, null);
        Assert.True(last.Step.Form.LastLogitsOnly);
        using CachedDecoder expected = new(whole), actual = new(last);
        expected.Start(60);
        actual.Start(60);
        foreach (var (start, count) in new[] { (0, 50), (50, 1), (51, 9) })
        {
            var difference = new LogitDifference();
            difference.Add(expected.Append(Tokens.AsSpan(start, count), Ct), actual.Append(Tokens.AsSpan(start, count), Ct), 304);
            Assert.InRange(difference.MaxAbs, 0, 1e-5);
        }
    }

    [Fact]
    public void TryCut_LeavesAGraphAloneWhoseEndIsNotRowByRow()
    {
        var proto = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(models.TiedOnnx, "model.onnx")));
        proto.Graph.Node.Last().OpType = "Softmax";
        var before = proto.Clone();

        Assert.False(LastPosition.TryCut(proto.Graph));
        Assert.Equal(before, proto);
    }
}

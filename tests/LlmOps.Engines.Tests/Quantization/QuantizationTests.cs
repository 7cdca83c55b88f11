using System.Text.Json;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Optimization;
using LlmOps.Engines.Quantization;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class QuantizationTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // Random weights have no redundancy, so errors are larger than a trained model's. Tolerances: about 1.5 times the measured relative error.
    public static TheoryData<QuantizationPass, bool, double, double> Passes => new()
    {
        { new DynamicInt8(), true, 0.07, 0.45 },
        { new DynamicInt8(), false, 0.07, 0.4 },
        { new DynamicInt8(PerChannel: false), true, 0.08, 0.4 },
        { new DynamicInt8(ReduceRange: true), true, 0.09, 0.45 },
        { new BlockwiseRtn(), true, 0.38, 0.4 },
        { new BlockwiseRtn(), false, 0.4, 0.4 },
        { new BlockwiseRtn(Symmetric: true), true, 0.4, 0.4 },
        { new BlockwiseRtn(HeadBits: 4), true, 0.45, 0.35 },
        { new BlockwiseRtn(Bits: 8), true, 0.03, 0.45 },
        { new BlockwiseRtn(AccuracyLevel: 0, BlockSize: 16), true, 0.33, 0.45 },
    };

    [Theory, MemberData(nameof(Passes))]
    public void Run_KeepsLogitsCloseInFewerBytes(QuantizationPass pass, bool tied, double tolerance, double bytes)
    {
        var (source, target) = (tied ? models.TiedOnnx : models.UntiedOnnx, models.New());

        var report = pass.Run(source, target, ct: Ct);

        TestContext.Current.TestOutputHelper?.WriteLine($"{pass}: relative L2 {report.RelativeL2:g3}, argmax {report.ArgmaxAgreement:p1}, bytes {report.SourceBytes} -> {report.TargetBytes} ({(double)report.TargetBytes / report.SourceBytes:p0})");
        using OnnxCausalModel before = OnnxCausalModel.Load(source), after = OnnxCausalModel.Load(target);
        var difference = RelativeL2(before, after);
        Assert.InRange(difference, 1e-6, tolerance);
        Assert.InRange(report.RelativeL2, 1e-6, tolerance);
        Assert.Equal((12, 0), (report.Quantized, report.Skipped));
        Assert.Equal(report.TargetBytes, new FileInfo(Path.Combine(target, "model.onnx")).Length + new FileInfo(Path.Combine(target, "model.onnx.data")).Length);
        // Page alignment and position tables weigh more here than in a real model.
        Assert.InRange((double)report.TargetBytes / report.SourceBytes, 0.1, bytes);
    }

    // The strict test: rounding loses what it loses, but the kernels must compute with exactly the rounded weights.
    [Theory]
    [InlineData(4, 32, false, 8), InlineData(4, 16, true, 4), InlineData(4, 64, false, 4), InlineData(8, 32, true, 8), InlineData(2, 32, false, 8)]
    public void BlockwiseRtn_EqualsAReferenceWithTheRoundedWeights(int bits, int block, bool symmetric, int headBits)
    {
        var pass = new BlockwiseRtn(bits, block, symmetric, AccuracyLevel: 1, headBits);
        var (rounded, target) = (models.New(), models.New());
        Round(models.Tied, rounded, name => name.Contains("embed", StringComparison.Ordinal) ? headBits : bits, block, symmetric);
        pass.Run(models.TiedOnnx, target, ct: Ct);

        using var reference = new ReferenceLlama(rounded);
        var report = new ParityCheck { Prompts = 2 }.Run(reference, target, 0, Ct);

        Assert.True(report.Passed, string.Join("\n", report.Failures));
    }

    private static void Round(string hfFolder, string target, Func<string, int> bits, int block, bool symmetric)
    {
        using var checkpoint = CheckpointFolder.Open(hfFolder);
        Directory.CreateDirectory(target);
        checkpoint.Config.Write(target);
        SafetensorsWriter.WriteFloat32(Path.Combine(target, "model.safetensors"), DecoderTensors.Expected(checkpoint.Config).Select(t =>
        {
            var values = checkpoint.Weights.ReadFloat32(t.Name);
            return (t.Name, t.Shape, t.Shape.Length == 2 ? Restore(values, (int)t.Shape[0], (int)t.Shape[1], bits(t.Name), block, symmetric) : values);
        }).ToList());
    }

    private static float[] Restore(float[] weights, int rows, int width, int bits, int block, bool symmetric)
    {
        var packed = BlockPacking.Pack(weights, rows, width, new(bits, block, symmetric));
        var blob = block * bits / 8;
        return [.. Enumerable.Range(0, rows * width).Select(n =>
        {
            int at = n / width * packed.Blocks + n % width / block, i = n % width % block;
            var q = packed.Values[at * blob + i * bits / 8] >> (i * bits % 8) & (1 << bits) - 1;
            return (q - (packed.ZeroPoints?[at] ?? 1 << (bits - 1))) * packed.Scales[at];
        })];
    }

    [Fact]
    public void Run_LosesLess_WithMoreBitsAndWithScalesPerChannel()
    {
        double Loss(QuantizationPass pass) => pass.Run(models.TiedOnnx, models.New(), ct: Ct).RelativeL2;

        Assert.True(Loss(new BlockwiseRtn(Bits: 8)) < Loss(new BlockwiseRtn()) / 3);
        Assert.True(Loss(new DynamicInt8()) < Loss(new DynamicInt8(PerChannel: false)));
    }

    [Fact]
    public void BlockwiseRtn_StoresATiedHeadAndEmbeddingOnce()
    {
        var target = models.New();

        var report = new BlockwiseRtn().Run(models.TiedOnnx, target, ct: Ct);

        using var model = OnnxModel.Load(target);
        var readers = model.Proto.Graph.Node.Where(n => n.Input.Contains("model.embed_tokens.weight_Q8")).Select(n => n.OpType);
        Assert.Equal(["GatherBlockQuantized", "MatMulNBits"], readers.Order());
        Assert.DoesNotContain("model.embed_tokens.weight", model.Initializers.Keys);
        Assert.Contains(report.Notes, n => n.Contains("shares 8-bit weights", StringComparison.Ordinal));
    }

    [Fact]
    public void BlockwiseRtn_SaysWhatItLeftAlone()
    {
        var report = new BlockwiseRtn(HeadBits: 0).Run(models.TiedOnnx, models.New(), ct: Ct);

        Assert.Equal((10, 2), (report.Quantized, report.Skipped));
        Assert.Equal(2, report.Notes.Count);
    }

    [Fact]
    public void Run_LeavesExcludedNodesAlone()
    {
        var target = models.New();
        var pass = new DynamicInt8(Exclude: new(Names: [@"layers\.0/mlp"], OpTypes: ["Gather"]));

        var report = pass.Run(models.TiedOnnx, target, ct: Ct);

        using var model = OnnxModel.Load(target);
        var left = model.Proto.Graph.Node.Where(n => n.OpType is "MatMul" or "FusedMatMul" or "Gather").Select(n => n.Name);
        Assert.Equal((8, 4), (report.Quantized, report.Skipped));
        Assert.All(left, name => Assert.True(name.Contains("layers.0/mlp", StringComparison.Ordinal) || name.Contains("Gather", StringComparison.Ordinal), name));
        Assert.Contains(report.Notes, note => note.Contains("/model/layers.0/mlp/", StringComparison.Ordinal) && note.Contains("exclusion rule", StringComparison.Ordinal));
    }

    [Fact]
    public void ExclusionRules_AreEqualByValue_AndSurviveJson()
    {
        QuantizationPass pass = new DynamicInt8(Exclude: new(["a", "b"], ["Conv"]));

        Assert.Equal(pass, JsonSerializer.Deserialize<QuantizationPass>(JsonSerializer.Serialize(pass)));
        Assert.NotEqual(pass, new DynamicInt8(Exclude: new(["a"], ["Conv"])));
    }

    [Theory, InlineData("("), InlineData(@"(a)\1")]
    public void ExclusionRules_RefuseARuleBeforeAnyWork(string rule)
    {
        var target = models.New();

        Assert.Throws<ArgumentException>(() => new DynamicInt8(Exclude: new([rule])).Run(models.TiedOnnx, target, ct: Ct));
        Assert.False(Directory.Exists(target));
    }

    [Fact]
    public void Run_WorksOnAnOptimisedGraphToo()
    {
        var (optimised, target) = (models.New(), models.New());
        new GraphOptimization().Run(models.TiedOnnx, optimised, ct: Ct);

        Assert.Equal(12, new DynamicInt8().Run(optimised, target, ct: Ct).Quantized);
        Assert.Equal(12, new BlockwiseRtn().Run(optimised, models.New(), ct: Ct).Quantized);
        Assert.InRange(new GraphOptimization().Run(target, models.New(), ct: Ct).RelativeL2, 0, 0.02);
    }

    [Fact]
    public void Pass_KeepsItsKindAndOptionsInJson()
    {
        QuantizationPass pass = new BlockwiseRtn(Bits: 8, Symmetric: true);

        var json = JsonSerializer.Serialize(pass);

        Assert.StartsWith("""{"kind":"blockwise-rtn",""", json, StringComparison.Ordinal);
        Assert.Equal(pass, JsonSerializer.Deserialize<QuantizationPass>(json));
    }

    [Fact]
    public void Run_RefusesAGraphWithNothingToQuantize()
    {
        var quantized = models.New();
        new BlockwiseRtn().Run(models.TiedOnnx, quantized, ct: Ct);

        Assert.Throws<UnsupportedModelException>(() => new BlockwiseRtn().Run(quantized, models.New(), ct: Ct));
    }

    [Theory, InlineData("../model.onnx.data", "not a file name"), InlineData("elsewhere.data", "missing")]
    public void Run_NamesTheTensor_WhenItsFileIsNotThere(string location, string reason)
    {
        var folder = models.Copy(models.TiedOnnx);
        using (var model = OnnxModel.Load(folder))
        {
            model.Initializers["model.layers.0.mlp.up_proj.MatMul.weight"].ExternalData.Single(e => e.Key == "location").Value = location;
            File.Delete(Path.Combine(folder, "model.onnx"));
            using var writer = new OnnxWriter(folder);
            writer.Save(model.Proto);
        }
        var target = models.New();

        var error = Assert.Throws<InvalidModelException>(() => new DynamicInt8().Run(folder, target, ct: Ct));

        Assert.Contains("model.layers.0.mlp.up_proj.MatMul.weight", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target));
    }

    [Fact]
    public void Run_LeavesNothingBehind_WhenCancelledHalfWay()
    {
        var target = models.New();
        using var source = new CancellationTokenSource();
        var progress = new Immediately(done => { if (done > 0.5) source.Cancel(); });

        Assert.ThrowsAny<OperationCanceledException>(() => new BlockwiseRtn().Run(models.TiedOnnx, target, progress, source.Token));

        Assert.False(Directory.Exists(target) || Directory.Exists(target + ".partial"));
    }

    private sealed class Immediately(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }

    [Theory, InlineData(3, 32), InlineData(4, 24), InlineData(4, 8)]
    public void BlockwiseRtn_RefusesOptionsThatTheKernelDoesNotKnow(int bits, int block) =>
        Assert.Throws<ArgumentException>(() => new BlockwiseRtn(bits, block).Run(models.TiedOnnx, models.New(), ct: Ct));

    [Theory, InlineData(4, true), InlineData(4, false), InlineData(8, false), InlineData(2, true)]
    public void Pack_KeepsEveryWeightWithinHalfAStep(int bits, bool symmetric)
    {
        var random = new Random(4);
        var weights = Enumerable.Range(0, 3 * 40).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray();

        var restored = Restore(weights, 3, 40, bits, 16, symmetric); // 40 is no multiple of 16: the last block is padded

        var scales = BlockPacking.Pack(weights, 3, 40, new(bits, 16, symmetric)).Scales;
        for (var n = 0; n < weights.Length; n++)
        {
            var step = Math.Abs(scales[n / 40 * 3 + n % 40 / 16]);
            // A symmetric range is one step shorter on one side.
            Assert.InRange(Math.Abs(restored[n] - weights[n]), 0, step * (symmetric ? 1.0001 : 0.5001));
        }
    }

    private static double RelativeL2(ICausalModel before, ICausalModel after)
    {
        var random = new Random(77);
        var difference = new LogitDifference();
        var tokens = Enumerable.Range(0, 64).Select(_ => random.Next(before.VocabularySize)).ToArray();
        difference.Add(before.Logits([tokens])[0], after.Logits([tokens])[0], before.VocabularySize);
        return difference.RelativeL2;
    }
}

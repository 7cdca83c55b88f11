using System.Text.Json;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class CalibratedBlockwiseTests(LanguageLikeModel model) : IClassFixture<LanguageLikeModel>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;
    private static readonly BlockwiseRtn Rounding = new() { AccuracyLevel = 1 };

    [Fact]
    public void Run_LosesLessThanPlainRounding()
    {
        string rtn = model.New(), awq = model.New(), both = model.New();
        Rounding.Run(model.Onnx, rtn, ct: Ct);
        new CalibratedBlockwise { Rounding = Rounding, Calibration = model.Calibration, Gptq = false }.Run(model.Onnx, awq, ct: Ct);
        var report = new CalibratedBlockwise { Rounding = Rounding, Calibration = model.Calibration }.Run(model.Onnx, both, ct: Ct);

        double plain = model.Kld(rtn), scaled = model.Kld(awq), compensated = model.Kld(both);
        TestContext.Current.TestOutputHelper?.WriteLine($"KLD: rounding {plain:g3}, AWQ {scaled:g3}, AWQ and GPTQ {compensated:g3}");
        foreach (var layer in report.Layers)
            TestContext.Current.TestOutputHelper?.WriteLine($"{layer.Node} {layer.Method} α {layer.Alpha}: {string.Join(", ", layer.HeldOutErrors.Select(e => $"{e.Key} {e.Value:g3}"))}");
        Assert.InRange(scaled, 0, 0.75 * plain);
        Assert.InRange(compensated, 0, 0.3 * plain);
    }

    [Fact]
    public void Run_KeepsPerLayerWhatDidBestOnHeldOutTokens_AndReportsIt()
    {
        var target = model.New();
        var pass = new CalibratedBlockwise { Rounding = Rounding with { Overrides = [new("layers.0/mlp/down", 8), new("layers.1/attn/o_proj", 0)] }, Calibration = model.Calibration };

        var report = pass.Run(model.Onnx, target, ct: Ct);

        // 2 layers of qkv, o, gate, up, down, and the head; one stays in floating point. The embedding is a lookup.
        Assert.Equal((11, 1), (report.Quantized, report.Skipped));
        Assert.Equal(10, report.Layers.Count);
        foreach (var layer in report.Layers.Where(l => l.HeldOutErrors.Count > 0))
        {
            var open = layer.HeldOutErrors.Where(e => e.Key.StartsWith("awq", StringComparison.Ordinal) == layer.Alpha is not null).MinBy(e => e.Value);
            Assert.Equal(open.Key, layer.Method);
            Assert.InRange(layer.HeldOutErrors[layer.Method], 1e-4, 0.3);
        }
        Assert.Equal(("rtn", 8, 0), Layer("/model/layers.0/mlp/down_proj/MatMul", l => (l.Method, l.Bits, l.HeldOutErrors.Count)));
        // Grouped heads: the values are repeated, so o_proj's input cannot be scaled.
        Assert.Equal(["gptq", "rtn"], Layer("/model/layers.0/attn/o_proj/MatMul", l => l.HeldOutErrors.Keys.Order().ToArray()));
        Assert.Equal(["awq", "awq+gptq", "gptq", "rtn"], Layer("/model/layers.1/mlp/down_proj/MatMul", l => l.HeldOutErrors.Keys.Order().ToArray()));
        Assert.Equal(model.Calibration.Sha256, report.CalibrationSha256);
        using var written = OnnxModel.Load(target);
        Assert.Contains(written.Proto.MetadataProps, p => p.Key == "llmops.calibration" && p.Value == model.Calibration.Sha256);
        Assert.Contains(written.Proto.MetadataProps, p => p.Key == "llmops.quantization" && p.Value.StartsWith("""{"kind":"calibrated-blockwise",""", StringComparison.Ordinal));
        Assert.Contains("\"Method\":\"rtn\"", JsonSerializer.Serialize(report), StringComparison.Ordinal);

        T Layer<T>(string node, Func<LayerChoice, T> value) => value(report.Layers.Single(l => l.Node == node));
    }

    // Standard operators, position_ids as an input and the head as a Gemm.
    [Fact]
    public void Run_DoesTheSameToAPortableGraph()
    {
        string portable = model.New(), target = model.New();
        new DecoderExport(GraphForm.Portable).Run(model.At("hf"), portable, ct: Ct);

        var report = new CalibratedBlockwise { Rounding = Rounding, Calibration = model.Calibration }.Run(portable, target, ct: Ct);

        Assert.Equal((12, 0), (report.Quantized, report.Skipped));
        Assert.Equal(11, report.Layers.Count(l => l.Bits == (l.Node.StartsWith("/lm_head", StringComparison.Ordinal) ? 8 : 4)));
        Assert.All(report.Layers.Where(l => l.Node.Contains("qkv", StringComparison.Ordinal)), l => Assert.Equal("awq+gptq", l.Method));
        Assert.InRange(model.Kld(target), 0, 0.06);
    }

    [Fact]
    public void Run_GivesTheSameBytesTwice()
    {
        string first = model.New(), second = model.New();
        var pass = new CalibratedBlockwise { Rounding = new() { Search = ScaleSearch.Refit }, Calibration = model.Calibration };
        pass.Run(model.Onnx, first, ct: Ct);
        pass.Run(model.Onnx, second, ct: Ct);

        foreach (var name in new[] { "model.onnx", "model.onnx.data" })
            Assert.Equal(File.ReadAllBytes(Path.Combine(first, name)), File.ReadAllBytes(Path.Combine(second, name)));
    }

    [Fact]
    public void Run_RefusesToGuess()
    {
        Assert.Contains("needs Calibration", Assert.Throws<ArgumentException>(() => new CalibratedBlockwise().Run(model.Onnx, model.New(), ct: Ct)).Message, StringComparison.Ordinal);
        Assert.Contains("use BlockwiseRtn", Assert.Throws<ArgumentException>(() => new CalibratedBlockwise { Awq = false, Gptq = false, Calibration = model.Calibration }.Run(model.Onnx, model.New(), ct: Ct)).Message, StringComparison.Ordinal);
        Assert.Contains("at least 2 sequences", Assert.Throws<ArgumentException>(() => new CalibrationTokens([[1, 2]])).Message, StringComparison.Ordinal);
        Assert.Contains("sequence 1 has no tokens", Assert.Throws<ArgumentException>(() => new CalibrationTokens([[1], []])).Message, StringComparison.Ordinal);
        Assert.Contains("Smoothing needs Calibration", Assert.Throws<ArgumentException>(() => new DynamicInt8 { Smoothing = 0.5 }.Run(model.Onnx, model.New(), ct: Ct)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new DynamicInt8 { Smoothing = 1.5, Calibration = model.Calibration }.Run(model.Onnx, model.New(), ct: Ct));
    }

    [Theory, InlineData(129, 5, "sequence 0 has 129 tokens; the model's context holds 128"), InlineData(4, 304, "has token 304; the vocabulary has 304"), InlineData(4, -1, "has token -1")]
    public void Run_RefusesTokensThatTheModelCannotTake(int length, int token, string reason)
    {
        var target = model.New();
        var error = Assert.Throws<ArgumentException>(() => new CalibratedBlockwise { Calibration = new([Enumerable.Repeat(token, length).ToArray(), [1, 2]]) }.Run(model.Onnx, target, ct: Ct));

        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target) || Directory.Exists(target + ".partial"));
    }

    [Fact]
    public void Run_LeavesNothingBehind_WhenCancelled()
    {
        var target = model.New();
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var progress = new Immediately(_ => source.Cancel());

        Assert.ThrowsAny<OperationCanceledException>(() => new CalibratedBlockwise { Calibration = model.Calibration }.Run(model.Onnx, target, progress, source.Token));

        Assert.False(Directory.Exists(target));
        Assert.False(Directory.Exists(target + ".partial"));
    }

    [Fact]
    public void Activations_AreThoseThatTheGraphComputes()
    {
        const string name = "/model/layers.1/post_attention_layernorm/output_0";
        using var source = OnnxModel.Load(model.Onnx);
        using var session = new ActivationSession(source, [(name, 64)], gram: true);
        using var probed = ProbedGraph.Open(model.Onnx, [name]);
        var sequences = model.Calibration.Sequences.Take(3).ToList();
        double[] abs = new double[64], gram = new double[64 * 64];
        var max = new float[64];
        foreach (var sequence in sequences)
        {
            using var inputs = new DecoderInputs(probed, sequence);
            using var options = new RunOptions();
            using var outputs = probed.Run(options, inputs.Values, [name]);
            var x = outputs[0].GetTensorDataAsSpan<float>();
            for (var at = 0; at < x.Length; at += 64)
                for (var i = 0; i < 64; i++)
                {
                    abs[i] += Math.Abs(x[at + i]);
                    max[i] = Math.Max(max[i], Math.Abs(x[at + i]));
                    for (var j = 0; j < 64; j++)
                        gram[i * 64 + j] += (double)x[at + i] * x[at + j];
                }
        }

        var statistics = session.Run(sequences, Ct)[name];

        Assert.Equal(3 * 96, statistics.Positions);
        Assert.Equal(max, statistics.MaxAbs);
        for (var i = 0; i < 64; i++)
        {
            Assert.Equal(abs[i] / 288, statistics.MeanAbs[i], 1e-4 * abs.Max() / 288);
            Assert.Equal(gram[i * 65] / 288, statistics.MeanSquare[i], 1e-4 * gram[i * 65] / 288);
        }
        var largest = gram.Max();
        Assert.All(gram.Zip(statistics.Gram!), pair => Assert.Equal(pair.First, pair.Second, 1e-5 * largest));
        Assert.True(statistics.MaxAbs.Order().ElementAt(62) > 4 * statistics.MaxAbs.Order().ElementAt(32)); // outlier channels are there
    }

    // Scales that are folded into a norm, or into the product before, must not change what the model computes.
    [Fact]
    public void Folding_ChangesNothingThatTheModelComputes()
    {
        var target = model.New();
        using (var rewrite = new GraphRewrite(model.Onnx, target))
        {
            var folding = new NormFolding(rewrite);
            var foldable = folding.Groups.Where(g => g.Fold is not null).ToList();
            Assert.Equal(7, foldable.Count); // qkv, gate and up, down of both layers, and the untied head
            Assert.Equal(9, folding.Groups.Count);
            foreach (var (i, group) in foldable.Index())
                folding.Scale(group, [.. LanguageLikeModel.Gaussian(group.Width, i).Select(g => MathF.Exp(g))]);
            folding.Finish();
            rewrite.Finish("test", Ct);
        }

        using OnnxCausalModel before = OnnxCausalModel.Load(model.Onnx), after = OnnxCausalModel.Load(target);
        var difference = new LogitDifference();
        foreach (var row in model.Rows)
            difference.Add(before.Logits([row.Tokens])[0], after.Logits([row.Tokens])[0], before.VocabularySize);
        Assert.InRange(difference.RelativeL2, 0, 1e-5);
        Assert.NotEqual(File.ReadAllBytes(Path.Combine(model.Onnx, "model.onnx.data")), File.ReadAllBytes(Path.Combine(target, "model.onnx.data")));
    }

    [Fact]
    public void Smoothing_HelpsDynamicInt8_WithOutlierChannels()
    {
        string plain = model.New(), smoothed = model.New();
        new DynamicInt8().Run(model.Onnx, plain, ct: Ct);
        var report = new DynamicInt8 { Smoothing = 0.5, Calibration = model.Calibration }.Run(model.Onnx, smoothed, ct: Ct);

        double before = model.Kld(plain), after = model.Kld(smoothed);
        TestContext.Current.TestOutputHelper?.WriteLine($"KLD: int8 {before:g3}, smoothed {after:g3}");
        Assert.InRange(after, 0, 0.6 * before);
        Assert.Equal(model.Calibration.Sha256, report.CalibrationSha256);
        Assert.Contains(report.Notes, n => n.Contains("9 of 11 products", StringComparison.Ordinal));
    }

    private sealed class Immediately(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}

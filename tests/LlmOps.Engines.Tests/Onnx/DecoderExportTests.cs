using System.Text.Json;
using Google.Protobuf;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Onnx;

public sealed class DecoderExportTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, InlineData(true), InlineData(false)]
    public void Run_GivesTheReferencesLogitsAndGreedyTokens_TiedOrNot(bool tied)
    {
        using var reference = new ReferenceLlama(tied ? models.Tied : models.Untied);

        var report = new ParityCheck().Run(reference, tied ? models.TiedOnnx : models.UntiedOnnx, seed: 3, Ct);

        Assert.True(report.Passed, string.Join("\n", report.Failures));
        Assert.InRange(report.MaxAbsDifference, 0, 1e-4);
        Assert.InRange(report.RelativeL2, 1e-9, 1e-5); // zero would mean that a model was compared with itself
        Assert.Equal(1, report.ArgmaxAgreement);
        Assert.Equal((8, 8), (report.GreedyPrompts, report.GreedyEqual));
        TestContext.Current.TestOutputHelper?.WriteLine($"max |difference| {report.MaxAbsDifference:g3}, relative L2 {report.RelativeL2:g3}");
    }

    [Fact]
    public void Run_StoresATiedHeadOnce()
    {
        var config = ModelConfig.Read(models.Tied);

        using var tied = OnnxModel.Load(models.TiedOnnx);

        var tables = tied.Initializers.Values.Where(t => t.Dims.SequenceEqual([config.VocabSize, config.HiddenSize])).ToList();
        Assert.Equal([DecoderGraph.Embedding], tables.Select(t => t.Name));
    }

    [Fact]
    public void Run_WritesAFolderThatIsCompleteOnItsOwn()
    {
        foreach (var name in new[] { "model.onnx", "model.onnx.data", "config.json", "tokenizer.json", "genai_config.json" })
            Assert.True(File.Exists(Path.Combine(models.TiedOnnx, name)), name);
        var genai = JsonDocument.Parse(File.ReadAllText(Path.Combine(models.TiedOnnx, "genai_config.json"))).RootElement;
        Assert.Equal(96, genai.GetProperty("model").GetProperty("context_length").GetInt32());
        Assert.Equal("past_key_values.%d.key", genai.GetProperty("model").GetProperty("decoder").GetProperty("inputs").GetProperty("past_key_names").GetString());
    }

    [Fact]
    public void Run_NamesTheTensor_WhenAWeightIsNotFinite()
    {
        var folder = models.Copy(models.Tied);
        var config = ModelConfig.Read(folder);
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, "model.safetensors"), DecoderTensors.Expected(config).Select(t =>
        {
            var values = new float[t.Shape.Aggregate(1L, (a, b) => a * b)];
            values[0] = t.Name == "model.layers.1.mlp.up_proj.weight" ? float.NaN : 1;
            return (t.Name, t.Shape, values);
        }).ToList());
        var target = models.New();

        var error = Assert.Throws<InvalidModelException>(() => new DecoderExport().Run(folder, target, ct: Ct));

        Assert.Contains("model.layers.1.mlp.up_proj.weight", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target));
        Assert.Empty(Directory.GetDirectories(models.Root, Path.GetFileName(target) + "*"));
    }

    [Fact]
    public void Run_RefusesAHeadWidthThatTheAttentionKernelCannotRotate()
    {
        var folder = models.New();
        var config = TinyModels.Config() with { HeadDim = 8 };
        Directory.CreateDirectory(folder);
        config.Write(folder);
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, "model.safetensors"),
            DecoderTensors.Expected(config).Select(t => (t.Name, t.Shape, new float[t.Shape.Aggregate(1L, (a, b) => a * b)])).ToList());

        var error = Assert.Throws<UnsupportedModelException>(() => new DecoderExport().Run(folder, models.New(), ct: Ct));

        Assert.Contains("head_dim is 8", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_SaysSo_WhenConfigurationAndGraphDisagree()
    {
        var folder = models.Copy(models.TiedOnnx);
        (ModelConfig.Read(folder) with { NumHiddenLayers = 3 }).Write(folder);

        Assert.Contains("past_key_values.2.key", Assert.Throws<InvalidModelException>(() => OnnxCausalModel.Load(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_LeavesNothingBehind_WhenCancelled()
    {
        var target = models.New();
        using var cancellation = new CancellationTokenSource();
        var half = new InlineProgress(share => { if (share > 0.5) cancellation.Cancel(); });

        Assert.Throws<OperationCanceledException>(() => new DecoderExport().Run(models.Tied, target, half, cancellation.Token));

        Assert.Empty(Directory.GetDirectories(models.Root, Path.GetFileName(target) + "*"));
    }

    [Fact]
    public void ParityCheck_SaysWhereTheModelsPart_WhenOneWeightDiffers()
    {
        using var other = new ReferenceLlama(models.Tied);
        var folder = models.New();
        TinyModels.WriteLlama(folder, seed: 9);
        var onnx = models.New();
        new DecoderExport().Run(folder, onnx, ct: Ct);

        var report = new ParityCheck { Prompts = 1 }.Run(other, onnx, 0, Ct);

        Assert.False(report.Passed);
        Assert.Contains(report.Failures, f => f.StartsWith("prefill 17", StringComparison.Ordinal) && f.Contains("first at position 0", StringComparison.Ordinal));
        Assert.Equal(0, report.GreedyEqual);
    }

    [Fact]
    public void ParityCheck_FailsAGraphThatGivesNaN_AndItsReportCanStillBeStored()
    {
        var folder = models.Copy(models.TiedOnnx);
        using (var model = OnnxModel.Load(folder))
        {
            var nan = Enumerable.Repeat(BitConverter.GetBytes(float.NaN), 64).SelectMany(b => b).ToArray();
            model.Initializers[DecoderGraph.FinalNorm].RawData = ByteString.CopyFrom(nan);
            File.Delete(Path.Combine(folder, "model.onnx"));
            using var writer = new OnnxWriter(folder);
            writer.Save(model.Proto);
        }
        using var reference = new ReferenceLlama(models.Tied);

        var report = new ParityCheck { Prompts = 1 }.Run(reference, folder, 0, Ct);

        Assert.False(report.Passed);
        Assert.Contains("\"MaxAbsDifference\":\"NaN\"", JsonSerializer.Serialize(report), StringComparison.Ordinal);
    }

    [Theory, InlineData("model.onnx"), InlineData("model.onnx.data")]
    public void Load_SaysSo_WhenAFileIsCutOff(string name)
    {
        var folder = models.Copy(models.TiedOnnx);
        using (var file = File.OpenWrite(Path.Combine(folder, name)))
            file.SetLength(file.Length / 2);

        var error = Assert.Throws<InvalidModelException>(() => OnnxCausalModel.Load(folder));

        Assert.Contains("model.onnx", error.Message, StringComparison.Ordinal);
    }

    private sealed class InlineProgress(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}

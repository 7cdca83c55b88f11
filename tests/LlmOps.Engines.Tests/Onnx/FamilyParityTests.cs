using LlmOps.Engines.Onnx;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Onnx;

public sealed class FamilyParityTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static TheoryData<string, GraphForm> Exports()
    {
        var data = new TheoryData<string, GraphForm>();
        foreach (var name in TinyFamilies.All.Keys)
        {
            data.Add(name, GraphForm.Contrib);
            data.Add(name, GraphForm.Portable);
        }
        return data;
    }

    [Theory, MemberData(nameof(Exports))]
    public void Run_GivesWhatTheFormulasGive_ForEveryFamilyInBothForms(string name, GraphForm form)
    {
        var (checkpoint, onnx) = (models.New(), models.New());
        TinyFamilies.Write(checkpoint, name);
        new DecoderExport(form).Run(checkpoint, onnx, ct: Ct);

        var report = new ParityCheck { Prompts = 2 }.Run(checkpoint, onnx, seed: 3, Ct);

        Assert.True(report.Passed, $"{report.FirstBadLayer}\n{string.Join("\n", report.Layers)}\n{string.Join("\n", report.Failures)}");
        Assert.InRange(report.RelativeL2, 1e-9, 1e-5);
        TestContext.Current.TestOutputHelper?.WriteLine($"| {name} | {form} | {report.MaxAbsDifference:0.0e0} | {report.RelativeL2:0.0e0} | {report.ArgmaxAgreement:P0} | {report.GreedyEqual} of {report.GreedyPrompts} |");
    }

    // Damage to the exported weights, as a wrong exporter would do it.
    [Theory]
    [InlineData("qwen2", "cos_cache", "layer 0 attention")]
    [InlineData("qwen2", "model.layers.1.attn.qkv_proj.Add.bias", "layer 1 attention")]
    [InlineData("llama", "model.layers.1.attn.o_proj.MatMul.weight", "layer 1 attention")]
    [InlineData("gemma2", "model.layers.2.post_feedforward_layernorm.weight", "layer 2 MLP")]
    [InlineData("gpt2", "model.embed_positions.weight", "embedding")]
    [InlineData("phi3", "model.layers.2.mlp.down_proj.MatMul.weight", "layer 2 MLP")]
    public void Run_NamesTheFirstLayer_WhenAWeightIsWrong(string name, string weight, string layer)
    {
        var (checkpoint, onnx) = (models.New(), models.New());
        TinyFamilies.Write(checkpoint, name);
        new DecoderExport().Run(checkpoint, onnx, ct: Ct);
        Damage(onnx, weight);

        var report = new ParityCheck { Prompts = 1 }.Run(checkpoint, onnx, ct: Ct);

        Assert.False(report.Passed);
        Assert.Equal(layer, report.FirstBadLayer);
        Assert.Equal(1 + 2 * TinyFamilies.All[name].NumHiddenLayers, report.Layers.Count);
        Assert.All(report.Layers.TakeWhile(l => l.After != layer), l => Assert.InRange(l.RelativeL2, 0, 1e-5));
    }

    [Fact]
    public void Run_SaysThatEveryLayerAgrees_WhenOnlyTheHeadIsWrong()
    {
        var onnx = models.Copy(models.UntiedOnnx);
        Damage(onnx, DecoderGraph.UntiedHead);

        var report = new ParityCheck { Prompts = 1 }.Run(models.Untied, onnx, ct: Ct);

        Assert.False(report.Passed);
        Assert.Null(report.FirstBadLayer);
        Assert.Equal(5, report.Layers.Count);
    }

    // Swaps the halves of a weight: the numbers stay plausible, as after a wrong packing order.
    private static void Damage(string folder, string weight)
    {
        using var model = OnnxModel.Load(folder);
        var tensor = model.Initializers[weight];
        var bytes = model.Bytes(tensor).ToArray();
        var half = bytes.Length / 2;
        byte[] damaged = [.. bytes.AsSpan(half), .. bytes.AsSpan(0, half)];
        if (tensor.DataLocation == 1)
        {
            using var data = File.OpenWrite(Path.Combine(folder, OnnxModel.DataFileName));
            data.Position = long.Parse(tensor.ExternalData.First(e => e.Key == "offset").Value, System.Globalization.CultureInfo.InvariantCulture);
            data.Write(damaged);
            return;
        }
        tensor.RawData = Google.Protobuf.ByteString.CopyFrom(damaged);
        File.Delete(Path.Combine(folder, OnnxModel.FileName));
        using var writer = new OnnxWriter(folder);
        writer.Save(model.Proto);
    }
}

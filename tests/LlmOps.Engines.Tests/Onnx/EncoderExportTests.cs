using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Google.Protobuf;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;

namespace LlmOps.Engines.Tests.Onnx;

public sealed class EncoderExportTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private static CancellationToken Ct => TestContext.Current.CancellationToken;
    private string Source => folder.At("hf");
    private string Target => folder.At("onnx");

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("bert", GraphForm.Contrib), InlineData("bert", GraphForm.Portable)]
    [InlineData("roberta", GraphForm.Contrib), InlineData("xlm-roberta", GraphForm.Portable)]
    [InlineData("distilbert", GraphForm.Contrib), InlineData("distilbert", GraphForm.Portable)]
    [InlineData("mpnet", GraphForm.Contrib), InlineData("mpnet", GraphForm.Portable)]
    public void Run_GivesTheReferencesStatesAndVectors(string family, GraphForm form)
    {
        TinyEncoder.Write(Source, family, change: null);
        File.Delete(Path.Combine(Source, "sentence_bert_config.json"));

        new EncoderExport(form).Run(Source, Target, ct: Ct);
        var report = new EncoderParityCheck().Run(Source, Target, seed: 1, Ct);

        Assert.True(report.Passed, string.Join("\n", report.Failures));
        Assert.Null(report.FirstBadStage);
        Assert.InRange(report.RelativeL2, 1e-9, 5e-6); // zero would mean that a model was compared with itself
        Assert.InRange(report.SmallestCosine!.Value, 0.999999, 1.000001);
        Assert.Equal(["1 tokens", "2 tokens", "17 tokens", "128 tokens", "140 tokens"], report.Cases.Select(c => c.Name).Where(n => char.IsDigit(n[0])));
        TestContext.Current.TestOutputHelper?.WriteLine($"max |difference| {report.MaxAbsDifference:g3}, relative L2 {report.RelativeL2:g3}");
    }

    [Theory]
    [InlineData("gelu_new", "pooling_mode_cls_token", GraphForm.Contrib), InlineData("gelu_new", "pooling_mode_max_tokens", GraphForm.Portable)]
    [InlineData("relu", "pooling_mode_max_tokens", GraphForm.Contrib), InlineData("relu", "pooling_mode_cls_token", GraphForm.Portable)]
    public void Run_ComputesEveryActivationAndPooling(string activation, string pooling, GraphForm form)
    {
        TinyEncoder.Write(Source, "bert", new() { ["hidden_act"] = activation }, pooling: pooling, prefix: false);

        new EncoderExport(form).Run(Source, Target, ct: Ct);
        var report = new EncoderParityCheck { Lengths = [1, 17] }.Run(Source, Target, seed: 1, Ct);

        Assert.True(report.Passed, string.Join("\n", report.Failures));
        Assert.Contains(report.Cases, c => c.Name == "40 tokens"); // what sentence_bert_config.json allows
        Assert.DoesNotContain(report.Cases, c => c.Name == "140 tokens");
    }

    [Theory, InlineData(TensorType.F16), InlineData(TensorType.BF16)]
    public void Run_ReadsHalfPrecisionAndOldNamesOfNorms(TensorType type)
    {
        TinyEncoder.Write(Source, "bert", change: t => (t.Name.Replace("LayerNorm.weight", "LayerNorm.gamma").Replace("LayerNorm.bias", "LayerNorm.beta"), t.Shape, t.Data));
        var whole = Path.Combine(Source, "model.safetensors");
        List<TensorSource> tensors;
        using (var file = SafetensorsFile.Open(whole))
            tensors = [.. file.Tensors.Keys.Select(name => (Name: name, Values: file.ReadFloat32(name), file.Tensors[name].Shape))
                .Select(t => new TensorSource(t.Name, type, t.Shape, s => s.Write(Narrow(t.Values, type))))];
        SafetensorsWriter.Write(whole, tensors);

        new EncoderExport().Run(Source, Target, ct: Ct);

        Assert.True(new EncoderParityCheck { Lengths = [17] }.Run(Source, Target, seed: 1, Ct).Passed);
    }

    private static byte[] Narrow(float[] values, TensorType type) => type == TensorType.F16
        ? MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, v => (Half)v)).ToArray()
        : MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16))).ToArray();

    [Theory]
    [InlineData("encoder.layer.1.intermediate.bias", "layer 1 feed-forward")]
    [InlineData("encoder.layer.2.attention.qkv.MatMul.weight", "layer 2 attention")]
    [InlineData("encoder.layer.0.attention.output.MatMul.weight", "layer 0 attention")]
    [InlineData("embeddings.position_embeddings.weight", "embeddings")]
    public void ParityCheck_NamesTheFirstStageThatDiffers_WhenWeightsAreWrong(string weight, string stage)
    {
        TinyEncoder.Write(Source, "roberta");
        new EncoderExport().Run(Source, Target, ct: Ct);
        Corrupt(weight);

        var report = new EncoderParityCheck { Lengths = [17] }.Run(Source, Target, seed: 1, Ct);

        Assert.False(report.Passed);
        Assert.Equal(stage, report.FirstBadStage);
        Assert.Contains(report.Failures, f => f.Contains(stage, StringComparison.Ordinal));
    }

    // A bias with one value off, a square matrix that was not transposed, and positions that begin one row too early.
    private void Corrupt(string weight)
    {
        byte[] changed;
        TensorEntry entry;
        using (var model = OnnxModel.Load(Target))
        {
            var tensor = model.Initializers[weight];
            var values = model.Float32(tensor);
            if (tensor.Dims.Count == 1)
                values[5] += 0.1f;
            else if (weight.Contains("position", StringComparison.Ordinal))
                Array.Copy(model.Float32(tensor), 0, values, TinyEncoder.Width, values.Length - TinyEncoder.Width);
            else
            {
                var rows = (int)tensor.Dims[0];
                for (var r = 0; r < rows; r++)
                    for (var c = 0; c < rows; c++)
                        values[r * tensor.Dims[1] + c] = model.Float32(tensor)[c * tensor.Dims[1] + r];
            }
            changed = MemoryMarshal.AsBytes<float>(values).ToArray();
            entry = new TensorEntry("", TensorType.F32, [], tensor.DataLocation == 1 ? long.Parse(tensor.ExternalData.Single(e => e.Key == "offset").Value, CultureInfo.InvariantCulture) : -1, changed.Length);
            if (entry.Offset < 0)
            {
                tensor.RawData = ByteString.CopyFrom(changed);
                File.WriteAllBytes(Path.Combine(Target, "model.onnx"), model.Proto.ToByteArray());
            }
        }
        if (entry.Offset < 0)
            return;
        using var data = File.OpenWrite(Path.Combine(Target, "model.onnx.data"));
        data.Position = entry.Offset;
        data.Write(changed);
    }

    [Fact]
    public void ParityCheck_FailsAGraphThatGivesNaN_AndItsReportCanBeStored()
    {
        TinyEncoder.Write(Source, "bert");
        new EncoderExport().Run(Source, Target, ct: Ct);
        using (var model = OnnxModel.Load(Target))
        {
            model.Initializers["encoder.layer.1.LayerNorm.weight"].RawData = ByteString.CopyFrom(Enumerable.Repeat(BitConverter.GetBytes(float.NaN), TinyEncoder.Width).SelectMany(b => b).ToArray());
            File.WriteAllBytes(Path.Combine(Target, "model.onnx"), model.Proto.ToByteArray());
        }

        var report = new EncoderParityCheck { Lengths = [2] }.Run(Source, Target, 0, Ct);

        Assert.Equal("layer 1 feed-forward", report.FirstBadStage);
        Assert.Contains("\"MaxAbsDifference\":\"NaN\"", JsonSerializer.Serialize(report), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model_type", "nomic_bert", "nomic_bert"), InlineData("model_type", "modernbert", "modernbert"), InlineData("hidden_act", "quick_gelu", "quick_gelu")]
    [InlineData("position_embedding_type", "relative_key", "relative_key"), InlineData("is_decoder", true, "is_decoder")]
    public void Run_RefusesByName_BeforeAnyWork(string setting, object value, string named)
    {
        TinyEncoder.Write(Source, "bert");
        var json = JsonSerializer.Deserialize<Dictionary<string, object>>(File.ReadAllText(Path.Combine(Source, "config.json")))!;
        json[setting] = value;
        File.WriteAllText(Path.Combine(Source, "config.json"), JsonSerializer.Serialize(json));
        File.Delete(Path.Combine(Source, "model.safetensors"));

        var error = Assert.Throws<UnsupportedModelException>(() => new EncoderExport().Run(Source, Target, ct: Ct));

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target));
    }

    [Theory]
    [InlineData("modules.json", """[{"type": "a.Transformer", "path": ""}, {"type": "a.Pooling", "path": "1_Pooling"}, {"type": "a.Dense", "path": "2_Dense"}]""", "a.Dense")]
    [InlineData("1_Pooling/config.json", """{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}""", "pooling_mode_mean_tokens and pooling_mode_cls_token")]
    [InlineData("1_Pooling/config.json", """{"pooling_mode_lasttoken": true}""", "pooling_mode_lasttoken")]
    [InlineData("modules.json", """[{"type": "a.Transformer", "path": ""}, {"type": "a.Pooling", "path": "../x"}]""", "../x")]
    [InlineData("modules.json", "{", "modules.json")]
    public void Run_RefusesPoolingThatItDoesNotCompute_ByName(string file, string text, string named)
    {
        TinyEncoder.Write(Source, "bert");
        File.WriteAllText(Path.Combine(Source, file), text);

        var error = Assert.ThrowsAny<Exception>(() => new EncoderExport().Run(Source, Target, ct: Ct));

        Assert.True(error is UnsupportedModelException or InvalidModelException, error.ToString());
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Theory, InlineData("nan"), InlineData("shape"), InlineData("missing"), InlineData("unknown")]
    public void Run_NamesTheTensor_AndLeavesNothingBehind(string fault)
    {
        const string name = "bert.encoder.layer.2.output.dense.weight";
        TinyEncoder.Write(Source, "bert", change: t => t.Name != name ? t
            : fault == "nan" ? (t.Name, t.Shape, [float.NaN, .. t.Data[1..]])
            : fault == "shape" ? (t.Name, [t.Shape[1], t.Shape[0]], t.Data)
            : (fault == "missing" ? "bert.pooler.dense.weight" : "bert.encoder.layer.9.output.dense.weight", t.Shape, t.Data));

        var error = Assert.Throws<InvalidModelException>(() => new EncoderExport().Run(Source, Target, ct: Ct));

        Assert.Contains(name["bert.".Length..], error.Message.Replace("layer.9", "layer.2"), StringComparison.Ordinal);
        Assert.Equal([Source], Directory.GetDirectories(folder.Root));
    }

    [Theory, InlineData("config.json"), InlineData("modules.json"), InlineData("1_Pooling/config.json")]
    public void Open_GivesNamedErrors_WhateverIsWrongWithASettingsFile(string file)
    {
        TinyEncoder.Write(Source, "mpnet");
        var whole = File.ReadAllText(Path.Combine(Source, file));
        string[] values = ["-1", "0", "2147483647", "1e300", "null", "\"x\"", "[]", "{}", "true", "99999999999999999999"];
        var random = new Random(11);
        var refused = 0;
        for (var i = 0; i < 150; i++)
        {
            var at = whole.IndexOf(':', random.Next(whole.Length - 1));
            var end = at < 0 ? -1 : whole.IndexOfAny([',', '}'], at);
            var text = i % 3 == 0 || end < 0 ? whole[..random.Next(whole.Length)] : $"{whole[..(at + 1)]}{values[random.Next(values.Length)]}{whole[end..]}";
            File.WriteAllText(Path.Combine(Source, file), text);
            try
            {
                EncoderCheckpoint.Open(Source).Dispose();
                SentencePooling.Read(Source);
            }
            catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 60, 150);
    }

    [Fact]
    public void Run_WritesNoVectors_WhenTheFolderSaysNothingAboutPooling_UnlessAsked()
    {
        TinyEncoder.Write(Source, "roberta", pooling: null);

        new EncoderExport().Run(Source, Target, ct: Ct);
        using (var model = OnnxEncoder.Load(Target))
            Assert.Contains("EncoderExport.Pooling", Assert.Throws<UnsupportedModelException>(() => model.Sentences([[5]])).Message, StringComparison.Ordinal);
        new EncoderExport { Pooling = new(PoolingMode.Cls, Normalize: true) }.Run(Source, Target, ct: Ct);

        using var pooled = OnnxEncoder.Load(Target);
        Assert.Equal(1, pooled.Sentences([[5, 6, 7]])[0].Sum(v => v * v), 1e-5);
    }

    [Theory]
    [InlineData("bert", GraphForm.Contrib, 0.03), InlineData("roberta", GraphForm.Portable, 0.03), InlineData("mpnet", GraphForm.Contrib, 0.03)]
    public void Result_CanBeQuantized_AndKeepsItsInterface(string family, GraphForm form, double allowed)
    {
        TinyEncoder.Write(Source, family);
        new EncoderExport(form).Run(Source, Target, ct: Ct);

        var report = new DynamicInt8().Run(Target, folder.At("int8"), ct: Ct);

        using OnnxEncoder exact = OnnxEncoder.Load(Target), quantized = OnnxEncoder.Load(folder.At("int8"));
        float[] a = exact.Sentences([[5, 6, 7, 8]])[0], b = quantized.Sentences([[5, 6, 7, 8]])[0];
        Assert.True(report.Quantized >= 4 * TinyEncoder.Layers, $"{report.Quantized}");
        Assert.Equal(exact.MaxTokens, quantized.MaxTokens);
        Assert.InRange(report.RelativeL2, 1e-4, allowed);
        Assert.InRange(System.Numerics.Tensors.TensorPrimitives.CosineSimilarity<float>(a, b), 0.998f, 0.999999f);
        TestContext.Current.TestOutputHelper?.WriteLine($"{report.Quantized} nodes, relative L2 {report.RelativeL2:g3}");
    }

    [Fact]
    public void Load_SaysSo_WhenTheGraphIsNoEncoder_OrTokensDoNotFit()
    {
        TinyEncoder.Write(Source, "bert");
        new EncoderExport().Run(Source, Target, ct: Ct);
        using var model = OnnxEncoder.Load(Target);

        Assert.Contains("1 to 40", Assert.Throws<ArgumentException>(() => model.HiddenStates([new int[41]])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => model.HiddenStates([[]]));
        Assert.Throws<ArgumentException>(() => model.HiddenStates([[1, 2]], [[0]]));
        Assert.Contains("-1", Assert.Throws<ArgumentException>(() => model.HiddenStates([[1, -1]])).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidModelException>(() => model.HiddenStates([[101]]));
        Assert.Empty(model.HiddenStates([]));
    }
}

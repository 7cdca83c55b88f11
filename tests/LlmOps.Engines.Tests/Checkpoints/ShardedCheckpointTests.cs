using System.Text.Json;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Tests.Checkpoints;

public sealed class ShardedCheckpointTests(ExportedModels models)
{
    [Fact]
    public void Open_ReadsShardsLikeOneFile()
    {
        var folder = Split(names => names);

        using var whole = CheckpointFolder.Open(models.Untied);
        using var split = CheckpointFolder.Open(folder);

        Assert.Equal(whole.Weights.Tensors.Keys.Order(), split.Weights.Tensors.Keys.Order());
        Assert.Equal(whole.Weights.SizeBytes, split.Weights.SizeBytes);
        foreach (var name in whole.Weights.Tensors.Keys)
            Assert.Equal(whole.Weights.ReadFloat32(name), split.Weights.ReadFloat32(name));
    }

    [Fact]
    public void Run_ExportsShardsToTheSameBytes()
    {
        var onnx = models.New();

        new DecoderExport().Run(Split(names => names), onnx, ct: TestContext.Current.CancellationToken);

        Assert.Equal(File.ReadAllBytes(Path.Combine(models.UntiedOnnx, "model.onnx.data")), File.ReadAllBytes(Path.Combine(onnx, "model.onnx.data")));
    }

    [Theory]
    [InlineData("../model-1.safetensors", "is not a file name inside the model's folder")]
    [InlineData("/etc/passwd", "is not a file name inside the model's folder")]
    [InlineData("..\\\\model-1.safetensors", "is not a file name inside the model's folder")]
    [InlineData("", "is not a file name inside the model's folder")]
    [InlineData("model-9.safetensors", "model-9.safetensors is missing")]
    [InlineData("model-2.safetensors", "says that tensor 'model.embed_tokens.weight' is in model-2.safetensors; it is not")]
    public void Open_NamesWhatIsWrong_WhenTheIndexLies(string shard, string message)
    {
        var folder = Split(map => { map["model.embed_tokens.weight"] = shard; return map; });

        Assert.Contains(message, Assert.Throws<InvalidModelException>(() => CheckpointFolder.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NamesTheTensor_WhenAShardHoldsOneThatTheIndexDoesNotKnow()
    {
        var folder = Split(map => { map.Remove("model.norm.weight"); return map; });

        Assert.Contains("A shard holds tensor 'model.norm.weight'", Assert.Throws<InvalidModelException>(() => CheckpointFolder.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Theory, InlineData("{}"), InlineData("[]"), InlineData("{\"weight_map\": {\"a\": 1}}"), InlineData("{\"weight_map\": {}}"), InlineData("{\"weight_map\"")]
    public void Open_SaysThatTheIndexIsDamaged(string index)
    {
        var folder = Split(names => names);
        File.WriteAllText(Path.Combine(folder, CheckpointWeights.IndexFileName), index);

        Assert.Contains(CheckpointWeights.IndexFileName, Assert.Throws<InvalidModelException>(() => CheckpointFolder.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_RefusesByName_WhatIsNotSafetensors()
    {
        var folder = models.Copy(models.Untied);
        File.Move(Path.Combine(folder, "model.safetensors"), Path.Combine(folder, "pytorch_model.bin"));

        Assert.Contains("'pytorch_model.bin'; only safetensors are read", Assert.Throws<UnsupportedModelException>(() => CheckpointFolder.Open(folder)).Message, StringComparison.Ordinal);
    }

    private string Split(Func<Dictionary<string, string>, Dictionary<string, string>> change)
    {
        var folder = models.Copy(models.Untied);
        var map = new Dictionary<string, string>();
        using (var whole = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors")))
        {
            foreach (var (part, i) in whole.Tensors.Values.OrderBy(t => t.Offset).Chunk((whole.Tensors.Count + 1) / 2).Select((part, i) => (part, i)))
            {
                var name = $"model-{i + 1}.safetensors";
                SafetensorsWriter.WriteFloat32(Path.Combine(folder, name), [.. part.Select(t => (t.Name, t.Shape, whole.ReadFloat32(t.Name)))]);
                foreach (var tensor in part)
                    map[tensor.Name] = name;
            }
        }
        File.Delete(Path.Combine(folder, "model.safetensors"));
        File.WriteAllText(Path.Combine(folder, CheckpointWeights.IndexFileName), JsonSerializer.Serialize(new { weight_map = change(map) }));
        return folder;
    }
}

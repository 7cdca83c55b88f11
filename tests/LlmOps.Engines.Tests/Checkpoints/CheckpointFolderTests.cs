using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Tests.Checkpoints;

public sealed class CheckpointFolderTests : IDisposable
{
    private static readonly ModelConfig Tiny = new()
    {
        VocabSize = 20, HiddenSize = 8, IntermediateSize = 12, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2, HeadDim = 2, MaxPositionEmbeddings = 16,
    };

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    // 20·8 + 2·(8+8·8+4·8+4·8+8·8+8+3·12·8) + 8
    [Fact]
    public void ParameterCount_CountsEveryWeightOnce() => Assert.Equal(160 + 2 * (8 + 64 + 32 + 32 + 64 + 8 + 288) + 8, Tiny.ParameterCount);

    [Fact]
    public void ParameterCount_CountsTheHead_WhenItIsNotTied() =>
        Assert.Equal(Tiny.ParameterCount + 160, (Tiny with { TieWordEmbeddings = false }).ParameterCount);

    [Fact]
    public void Read_GivesBackWhatWasWritten()
    {
        var config = Tiny with { RmsNormEps = 1e-6, RopeTheta = 50000, TieWordEmbeddings = false, BosTokenId = 3, EosTokenId = 4, PadTokenId = 5 };

        config.Write(folder.Root);

        Assert.Equal(config, ModelConfig.Read(folder.Root));
        Assert.True(File.Exists(folder.At("generation_config.json")));
    }

    [Theory]
    [InlineData("\"model_type\": \"llama\"", "\"model_type\": \"mamba\"", "config.json: model_type \"mamba\" is not supported; supported: llama, mistral, qwen2, qwen3, smollm3, phi3, gemma, gemma2, gemma3_text, gpt2.")]
    [InlineData("\"hidden_act\": \"silu\"", "\"hidden_act\": \"xielu\"", "config.json: hidden_act \"xielu\" is not supported; supported: silu, swish, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, relu2.")]
    [InlineData("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"dynamic\"}", "config.json: rope_scaling of type dynamic is not supported; supported: default, linear, llama3, yarn, longrope.")]
    [InlineData("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"yarn\", \"mscale\": 1}", "config.json: rope_scaling of type yarn with mscale is not supported; supported: attention_factor or neither.")]
    [InlineData("\"attention_bias\": false", "\"quantization_config\": {}", "config.json: quantization_config is set; the weights are quantized already. Bring the unquantized checkpoint.")]
    public void Read_RefusesByName_WhatIsNotSupported(string written, string replaced, string message)
    {
        Edit(written, replaced);

        Assert.Equal(message, Assert.Throws<UnsupportedModelException>(() => ModelConfig.Read(folder.Root)).Message);
    }

    [Theory]
    [InlineData("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "config.json: num_attention_heads (4) is not a multiple of num_key_value_heads (3).")]
    [InlineData("\"hidden_size\": 8", "\"hidden_size\": \"8\"", "config.json: hidden_size is \"8\"; expected a whole number.")]
    [InlineData("\"hidden_size\": 8", "\"hidden_size\": 0", "config.json: hidden_size is 0; it must be positive.")]
    [InlineData("\"vocab_size\": 20,", "", "config.json: vocab_size is missing.")]
    [InlineData("\"eos_token_id\": 2", "\"eos_token_id\": 20", "config.json: eos_token_id is 20; the vocabulary has ids 0 to 19.")]
    [InlineData("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8}", "config.json: rope_scaling of type llama3 has impossible factors.")]
    [InlineData("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1, 2], \"long_factor\": [1]}", "config.json: rope_scaling has 2 short and 1 long factors; 1 are needed.")]
    [InlineData("\"rope_scaling\": null", "\"rope_scaling\": []", "config.json: rope_scaling is []; expected an object.")]
    [InlineData("{", "", "config.json is not valid JSON")]
    public void Read_RefusesByName_WhatIsWrong(string written, string replaced, string message)
    {
        Edit(written, replaced);

        Assert.StartsWith(message, Assert.Throws<InvalidModelException>(() => ModelConfig.Read(folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_FindsEveryWeight()
    {
        TinyCheckpoint.Write(folder.Root, Tiny);

        using var checkpoint = CheckpointFolder.Open(folder.Root);

        Assert.Equal(Tiny, checkpoint.Config);
        Assert.Equal(Tiny.ParameterCount, checkpoint.Weights.Tensors.Values.Sum(t => t.Length / 4));
    }

    [Fact]
    public void Open_RefusesFolder_WhenATensorIsMissing()
    {
        TinyCheckpoint.Write(folder.Root, Tiny, t => t.Where(x => x.Name != "model.layers.1.mlp.up_proj.weight"));

        Assert.Equal("model.safetensors: tensor 'model.layers.1.mlp.up_proj.weight' is missing.",
            Assert.Throws<InvalidModelException>(() => CheckpointFolder.Open(folder.Root)).Message);
    }

    [Fact]
    public void Open_RefusesFolder_WhenAShapeIsNotTheConfigurations()
    {
        TinyCheckpoint.Write(folder.Root, Tiny);
        (Tiny with { VocabSize = 21 }).Write(folder.Root);

        Assert.Equal("model.safetensors: tensor 'model.embed_tokens.weight' has shape [20, 8]; config.json asks for [21, 8].",
            Assert.Throws<InvalidModelException>(() => CheckpointFolder.Open(folder.Root)).Message);
    }

    [Fact]
    public void Open_RefusesFolder_WhenATensorIsNotExpected()
    {
        TinyCheckpoint.Write(folder.Root, Tiny, t => t.Append(("model.layers.0.self_attn.q_proj.bias", [8], new float[8])));

        Assert.Equal("model.safetensors: tensor 'model.layers.0.self_attn.q_proj.bias' is not part of a llama model with this config.json.",
            Assert.Throws<InvalidModelException>(() => CheckpointFolder.Open(folder.Root)).Message);
    }

    private void Edit(string written, string replaced)
    {
        Tiny.Write(folder.Root);
        var path = folder.At("config.json");
        var text = File.ReadAllText(path);
        Assert.Contains(written, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(written, replaced, StringComparison.Ordinal));
    }
}

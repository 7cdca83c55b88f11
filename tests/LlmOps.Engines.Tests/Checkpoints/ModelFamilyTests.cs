using LlmOps.Engines.Checkpoints;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Checkpoints;

public sealed class ModelFamilyTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Names => [.. TinyFamilies.All.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Read_GivesBackWhatWasWritten_ForEveryFamily(string name)
    {
        TinyFamilies.All[name].Write(folder.Root);

        Assert.Equivalent(TinyFamilies.All[name], ModelConfig.Read(folder.Root), strict: true);
    }

    [Fact]
    public void TheTestedFamiliesAreAllThatThereAre() =>
        Assert.Equal(ModelFamily.All.Select(f => f.ModelType).Order(), TinyFamilies.All.Values.Select(c => c.ModelType).Distinct().Order());

    // Settings as published files spell them.
    [Fact]
    public void Read_KnowsTheNewerSpellingOfRotarySettings()
    {
        Write("""
            {"model_type": "gemma3_text", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 7, "num_attention_heads": 2, "head_dim": 16,
             "num_key_value_heads": 1, "sliding_window": 512, "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000},
             "sliding_attention": {"rope_type": "default", "rope_theta": 12345}}, "eos_token_id": [1, 106], "bos_token_id": 2}
            """);

        var config = ModelConfig.Read(folder.Root);

        Assert.Equal(("linear", 8, 1e6, 12345), (config.RopeScaling!.Type, config.RopeScaling.Factor, config.RopeTheta, config.RopeLocalTheta));
        Assert.Equal([true, true, true, true, true, false, true], config.SlidingLayers!);
        Assert.Equal((1, 256.0, "gelu_pytorch_tanh", true), (config.EosTokenId, config.QueryPreAttnScalar, config.HiddenAct, config.TieWordEmbeddings));
    }

    [Fact]
    public void Read_IgnoresAWindow_ThatIsSwitchedOff()
    {
        Write("""
            {"model_type": "qwen2", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2, "sliding_window": 8, "max_window_layers": 2}
            """);
        Assert.Null(ModelConfig.Read(folder.Root).SlidingWindow);

        Write("""
            {"model_type": "qwen2", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2, "sliding_window": 8, "max_window_layers": 2, "use_sliding_window": true}
            """);
        Assert.Equal([null, null, 8, 8], Enumerable.Range(0, 4).Select(ModelConfig.Read(folder.Root).Window));
    }

    // λ = 2π/f: 8 and below stay, 128 and above are divided by 8, between them the share (original/λ − 1)/(4 − 1) stays. Original context 32.
    [Theory, InlineData(0.9, 0.9), InlineData(0.04, 0.005), InlineData(0.5, 0.5 * (0.5154930 + 0.4845070 / 8))]
    public void Llama3Scaling_StretchesLongWavelengthsOnly(double frequency, double expected)
    {
        // One pair turns with θ^(−0/d) = 1, so the second pair's base gives any frequency: f = θ^(−1/2).
        var config = TinyModels.Config() with
        {
            HeadDim = 4, RopeTheta = 1 / (frequency * frequency), RopeScaling = new() { Type = "llama3", Factor = 8, LowFreqFactor = 1, HighFreqFactor = 4, OriginalContext = 32 },
        };

        Assert.Equal(expected, RotaryTable.Of(config, sliding: false).Frequencies[1], 6);
    }

    // d = 8, θ = 10000, original 64: dimension(32 rotations) = 8·ln(64/(32·2π))/(2·ln 10000) < 0 → 0; dimension(1) = 8·ln(64/2π)/(2·ln 10000) = 1.008 → 2.
    // Ramp 0, ½, 1, 1 over pairs with frequencies 1, 0.1, 0.01, 0.001, stretched by 4.
    [Fact]
    public void YarnScaling_BlendsAlongTheRamp()
    {
        var config = TinyModels.Config() with { HeadDim = 8, RopeScaling = new() { Type = "yarn", Factor = 4, OriginalContext = 64 } };

        var table = RotaryTable.Of(config, sliding: false);

        Assert.Equal([1, 0.1 * (0.5 + 0.5 / 4), 0.0025, 0.00025], table.Frequencies.Select(f => Math.Round(f, 10)));
        Assert.Equal(0.1 * Math.Log(4) + 1, table.Scale, 12);
    }

    [Fact]
    public void LongRopeScaling_HasATableForShortAndOneForLongSequences()
    {
        var table = RotaryTable.Of(TinyFamilies.All["phi3-longrope"], sliding: false);

        Assert.Equal(96, table.SwitchAt);
        Assert.Equal((1 / 1.0, 1 / 1.1), (table.Frequencies[0], table.LongFrequencies![0]));
        Assert.Equal(Math.Sqrt(1 + Math.Log(160.0 / 96) / Math.Log(96)), table.Scale, 12);
    }

    private void Write(string json) => File.WriteAllText(folder.At("config.json"), json);
}

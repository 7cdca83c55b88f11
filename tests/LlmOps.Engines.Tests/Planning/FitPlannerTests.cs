using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Planning;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Planning;

/// <summary>Every expected number here is worked out by hand from the formula in the comment beside it.</summary>
public sealed class FitPlannerTests
{
    // q = 2·4 = 8, kv = 1·4 = 4
    private static readonly ModelShape Tiny = new()
    {
        Name = "tiny", Layers = 2, HiddenSize = 8, Heads = 2, KeyValueHeads = 1, HeadDim = 4, IntermediateSize = 16, VocabSize = 32, MaxContext = 64,
    };

    private static readonly Hardware Slow = new("slow", HardwareKind.Cpu, 1_000_000_000, 1e6, 1e6, 1e6, 4e6, HardwareSource.Given);

    [Fact]
    public void Shape_CountsItsWeights()
    {
        Assert.Equal(1152, Tiny.LayerWeights);      // 2·(2·8·8 + 2·8·4 + 3·8·16)
        Assert.Equal(128, Tiny.LayerOutputs);       // 2·(8 + 2·4 + 2·8 + 2·16)
        Assert.Equal(256, Tiny.EmbeddingWeights);   // 32·8
        Assert.Equal(40, Tiny.OtherWeights);        // (2·2 + 1)·8
        Assert.Equal(1704, Tiny.Parameters);        // 1152 + 40 + 2·256
        Assert.Equal(1448, (Tiny with { TiedEmbeddings = true }).Parameters);
        Assert.Equal(896, (Tiny with { GatedMlp = false }).LayerWeights);                 // 2·(128 + 64 + 2·128)
        Assert.Equal(72, (Tiny with { AttentionBias = true }).OtherWeights);              // 40 + 2·(8 + 2·4)
        Assert.Equal(640, Tiny.KeyValueBytes(10, 4));                                     // 2·2·4·10·4
        Assert.Equal(3456, Tiny.OperationsPerToken(10));                                  // 2·(1152 + 256) + 4·2·8·10
    }

    /// <summary>The published counts of these models.</summary>
    [Theory]
    [InlineData("smollm2-135m", 134_515_008)]
    [InlineData("llama-3.2-1b", 1_235_814_400)]
    [InlineData("qwen2.5-0.5b", 494_032_768)]
    [InlineData("qwen2.5-7b", 7_615_616_512)]
    [InlineData("mistral-7b-v0.3", 7_248_023_552)]
    [InlineData("llama-3.1-8b", 8_030_261_248)]
    [InlineData("llama-3.1-70b", 70_553_706_496)]
    public void KnownShapes_HaveTheirPublishedParameters(string name, long parameters) =>
        Assert.Equal(parameters, KnownShapes.All.Single(s => s.Name == name).Parameters);

    [Fact]
    public void Shape_OfAConfiguration_CountsAsTheCheckpointDoes()
    {
        foreach (var tied in new[] { true, false })
        {
            var shape = ModelShape.Of(TinyModels.Config(tied), "tiny");
            Assert.Equal((TinyModels.Config(tied).ParameterCount, 0), (shape.Parameters, shape.ExtraWeights));
        }
        // Norms of query and key heads: two layers with two vectors of 16.
        Assert.Equal(64, ModelShape.Of(TinyModels.Config() with { ModelType = "qwen3" }, "tiny").ExtraWeights);
        // Positions 96·64, biases of five norms of 64, and of each layer's 192 + 64 attention and 160 + 64 MLP outputs.
        Assert.Equal(6144 + 320 + 2 * (256 + 224), ModelShape.Of(TinyModels.Config() with { ModelType = "gpt2", NumKeyValueHeads = 4, QueryKeyValueBias = true, OutputBias = true, MlpBias = true }, "tiny").ExtraWeights);
    }

    [Theory]
    [InlineData("fp32", 6816, 5792)]            // 4·1704; 4·(1152 + 40 + 256)
    [InlineData("fp16", 3408, 2896)]
    [InlineData("bf16", 3408, 2896)]
    [InlineData("int8", 2752, 2368)]            // 160 + 1152 + 5·128 + 2·256 + 9·32; 160 + 1152 + 640 + 256 + 5·32
    [InlineData("int4-block32", 1490, 1194)]    // 160 + 1152·(0.5 + 4.5/32) + 512 + 2·256·5/32; 160 + 738 + 256·(1 + 5/32)
    [InlineData("int4-block64", 1369, 1093)]    // 160 + 1152·(0.5 + 4.5/64) + 512 + 2·256·5/64; 160 + 657 + 256·(1 + 5/64)
    public void Precision_SaysItsBytes(string name, double weights, double read)
    {
        var precision = WeightPrecision.Parse(name);
        Assert.Equal(weights, precision.WeightBytes(Tiny), 6);
        Assert.Equal(read, precision.BytesReadPerStep(Tiny), 6);
    }

    [Fact]
    public void Precision_StoresATiedHead_OnceInBlocksAndTwiceInInt8()
    {
        var tied = Tiny with { TiedEmbeddings = true };
        Assert.Equal(WeightPrecision.Int8.WeightBytes(Tiny), WeightPrecision.Int8.WeightBytes(tied));
        Assert.Equal(1490 - 256, WeightPrecision.Int4Block32.WeightBytes(tied));
    }

    [Fact]
    public void Plan_IsTheRoofline_WithCallsOnTop()
    {
        var plan = FitPlanner.Plan(WeightPrecision.Fp32, Tiny, Slow, new(Users: 2, Context: 10, Prompt: 4));

        Assert.Equal((6816, 640, 1280), (plan.ResidentBytes, plan.KeyValueBytesPerUser, plan.KeyValueBytes));
        Assert.Equal(2080, plan.WorkspaceBytes);    // t = 4: 4·4·(4·8 + 2·8 + 2·4 + 2·16) + 4·max(2·4·4, 2·2·10) + 4·4·32
        Assert.Equal(6816 + 1280 + 2080 + 80_000_000, plan.TotalBytes);
        Assert.Equal((950_000_000 - 6816 - 2080 - 80_000_000) / 640, plan.MaxUsers);
        // Read (5792 + 1280)/1e6 = 7.072 ms; work 2·3456/0.9e6 = 7.68 ms; calls 2·250 µs.
        Assert.Equal(2 / 8.18e-3, plan.DecodeTokensPerSecond, 1e-6);
        Assert.Equal(1 / 8.18e-3, plan.DecodeTokensPerSecondPerUser, 1e-6);
        Assert.Equal(Bound.Compute, plan.DecodeBound);
        Assert.Equal(2, plan.SaturationUsers);      // 5.792 ms / (3.84 − 0.64) ms = 1.81
        // 4·(2816 + 4·2·8·2)/0.9e6 = 13.0844 ms, more than reading 5.792 ms; calls 0.5 ms.
        Assert.Equal(13.5844e-3, plan.FirstTokenSeconds, 1e-6);
        Assert.Equal(4 / 13.58444444e-3, plan.PrefillTokensPerSecond, 1e-3);
        Assert.Equal(2 * plan.FirstTokenSeconds, plan.LastFirstTokenSeconds, 1e-12);
    }

    [Fact]
    public void Plan_IsBoundByMemory_WhenArithmeticIsFast()
    {
        var plan = FitPlanner.Plan(WeightPrecision.Int8, Tiny, Slow with { Fp32OperationsPerSecond = 1e12, Int8OperationsPerSecond = 1e12 }, new(Users: 1, Context: 10, Prompt: 4));
        Assert.Equal(1 / (3.008e-3 + 0.5e-3), plan.DecodeTokensPerSecond, 1e-4);   // (2368 + 640)/1e6
        Assert.Equal(Bound.Memory, plan.DecodeBound);
        Assert.Null(plan.SaturationUsers);          // a user's cache takes longer than his arithmetic
        Assert.Equal(2.868e-3, plan.FirstTokenSeconds, 1e-9);
        Assert.Equal(Bound.Memory, plan.PrefillBound);
    }

    [Theory]
    [InlineData("fp32", 0.9e6)]
    [InlineData("bf16", 0.9e6)]                     // computed in fp32
    [InlineData("int8", 1.76e6)]                    // 0.44 · 4e6
    [InlineData("int4-block32", 1e6)]               // 0.25 · 4e6
    public void Rate_OnAProcessor_IsAShareOfThePeak(string precision, double rate) => Assert.Equal(rate, FitPlanner.Rate(WeightPrecision.Parse(precision), Slow), 1e-6);

    [Fact]
    public void Plan_OnAGraphicsProcessor_CountsSharesOfTheDataSheet()
    {
        var gpu = new Hardware("card", HardwareKind.Gpu, 10_000_000_000, 1e9, 1e9, 8e9, 16e9, HardwareSource.DataSheet);
        var plan = FitPlanner.Plan(WeightPrecision.Bf16, Tiny, gpu, new(Users: 1, Context: 10, Prompt: 4));
        Assert.Equal(320, plan.KeyValueBytes);      // fp16
        Assert.Equal(1 / ((2896 + 320) / 0.8e9 + 60e-6), plan.DecodeTokensPerSecond, 1e-3);
        Assert.Equal(4e9, FitPlanner.Rate(WeightPrecision.Int4Block64, gpu));       // half of fp16's peak
        Assert.Equal(0.5e9, FitPlanner.Rate(WeightPrecision.Fp32, gpu));
        Assert.Equal(640, FitPlanner.Plan(WeightPrecision.Fp32, Tiny, gpu, new(1, 10, 4)).KeyValueBytes);
        Assert.Contains("no bf16", FitPlanner.Plan(WeightPrecision.Bf16, Tiny, gpu with { HasBf16 = false }, new(1, 10, 4)).Notes[0], StringComparison.Ordinal);
    }

    [Fact]
    public void ResidentBytes_OnAProcessor_WidenHalvesAndPackATiedHeadAgain()
    {
        var tied = Tiny with { TiedEmbeddings = true };
        Assert.Equal(4 * 1704, FitPlanner.ResidentBytes(WeightPrecision.Bf16, Tiny, gpu: false));
        Assert.Equal(4 * 1448 + 4 * 256, FitPlanner.ResidentBytes(WeightPrecision.Fp32, tied, gpu: false));
        Assert.Equal(1234 + 256, FitPlanner.ResidentBytes(WeightPrecision.Int4Block32, tied, gpu: false));
        Assert.Equal(2752, FitPlanner.ResidentBytes(WeightPrecision.Int8, tied, gpu: false));
        Assert.Equal(2 * 1448, FitPlanner.ResidentBytes(WeightPrecision.Bf16, tied, gpu: true));
    }

    [Fact]
    public void Chunks_AreTheGeneratorsOwn()
    {
        Assert.Equal(256, FitPlanner.ChunkTokens(Tiny));
        Assert.Equal(130, FitPlanner.ChunkTokens(KnownShapes.All.Single(s => s.Name == "llama-3.1-8b")));   // 2^24 / 128256
    }

    [Theory]
    [InlineData("llama-3.1-8b", "h100-80gb", 8, 8192, DeploymentProfile.DataCentreUncompressed, "bf16")]
    [InlineData("llama-3.1-8b", "rtx-4090", 8, 8192, DeploymentProfile.GpuEightBit, "int8")]           // bf16: 16.1 GB and 8 · 1.07 GB of cache
    [InlineData("llama-3.1-8b", "l4", 64, 1024, DeploymentProfile.GpuEightBit, "int8")]
    [InlineData("qwen2.5-32b", "rtx-4090", 1, 4096, DeploymentProfile.GpuFourBit, "int4-block64")]    // blocks of 32: 23.9 GB of 22.8
    [InlineData("smollm2-135m", "cpu-desktop-8", 1, 2048, DeploymentProfile.CpuUncompressed, "fp32")]
    [InlineData("llama-3.1-8b", "cpu-desktop-8", 1, 2048, DeploymentProfile.SingleUserCpuQuantized, "int4-block32")]    // int8 reads 8.5 GB at 72 GB/s: 8 tokens/s
    [InlineData("llama-3.1-8b", "cpu-server-32", 4, 2048, DeploymentProfile.SharedCpuQuantized, "int8")]
    [InlineData("llama-3.1-70b", "t4", 1, 2048, DeploymentProfile.None, null)]
    public void Recommendation_IsTheLeastCompressedThatFitsAndIsFastEnough(string model, string hardware, int users, int context, DeploymentProfile profile, string? precision)
    {
        var plan = FitPlanner.Plan(KnownShapes.All.Single(s => s.Name == model), KnownHardware.All.Single(h => h.Name == hardware), new(users, context, 512));
        Assert.Equal((profile, precision), (plan.Recommendation.Profile, plan.Recommendation.Precision));
        if (precision is null)
            return;
        var chosen = plan.Precisions.Single(p => p.Precision == precision);
        Assert.True(chosen.Fits && plan.Recommendation.MeetsSpeed && chosen.DecodeTokensPerSecondPerUser >= 10);
        Assert.Contains(plan.Recommendation.Reasons, r => r.StartsWith($"{precision} needs ", StringComparison.Ordinal));
    }

    [Fact]
    public void Recommendation_SaysSo_WhenNothingIsFastEnough()
    {
        var plan = FitPlanner.Plan(KnownShapes.All.Single(s => s.Name == "qwen2.5-32b"), KnownHardware.All.Single(h => h.Name == "cpu-desktop-8"), new(1, 2048, 512));
        Assert.False(plan.Recommendation.MeetsSpeed);
        Assert.Equal("int4-block64", plan.Recommendation.Precision);
        Assert.Contains(plan.Recommendation.Reasons, r => r.StartsWith("No precision gives each user 10 tokens/s here", StringComparison.Ordinal));
    }

    [Fact]
    public void MaxUsers_IsZero_WhenTheWeightsAloneAreTooLarge()
    {
        var plan = FitPlanner.Plan(WeightPrecision.Bf16, KnownShapes.All.Single(s => s.Name == "llama-3.1-70b"), KnownHardware.All.Single(h => h.Name == "a100-80gb"), new());
        Assert.False(plan.Fits);
        Assert.Equal(0, plan.MaxUsers);
        Assert.True(plan.FreeBytes < -60_000_000_000);
    }

    public static TheoryData<string, ModelShape, Hardware, Workload> Impossible => new()
    {
        { "heads (2) is not a multiple of key/value heads (3)", Tiny with { KeyValueHeads = 3 }, Slow, new(1, 10, 4) },
        { "layers is 0", Tiny with { Layers = 0 }, Slow, new(1, 10, 4) },
        { "bandwidth is 0", Tiny, Slow with { BandwidthBytesPerSecond = 0 }, new(1, 10, 4) },
        { "fp32 rate is NaN", Tiny, Slow with { Fp32OperationsPerSecond = double.NaN }, new(1, 10, 4) },
        { "has room for 64", Tiny, Slow, new(1, 65, 4) },
        { "a prompt of 11 tokens", Tiny, Slow, new(1, 10, 11) },
        { "0 users", Tiny, Slow, new(0, 10, 4) },
        { "3 bytes for a cached value", Tiny, Slow, new(1, 10, 4, 3) },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void Plan_RefusesWhatCannotBe_AndSaysWhichNumber(string part, ModelShape model, Hardware hardware, Workload workload) =>
        Assert.Contains(part, Assert.Throws<ArgumentException>(() => FitPlanner.Plan(model, hardware, workload)).Message, StringComparison.Ordinal);

    [Fact]
    public void Check_DividesWhatWasPredictedByWhatWasMeasured()
    {
        var plan = FitPlanner.Plan(WeightPrecision.Fp32, Tiny, Slow, new(1, 10, 4));
        var check = PlanCheck.Of(plan, new(6816 / 2.0, null, plan.PrefillTokensPerSecond * 4, 0));
        Assert.Equal([("size", 2.0), ("prefill", 0.25)], check.Lines.Select(l => (l.Quantity, Math.Round(l.Ratio, 9))));
        Assert.Equal(["size"], PlanCheck.Of(plan, new(1, null, 1, 1), speeds: false).Lines.Select(l => l.Quantity));
    }
}

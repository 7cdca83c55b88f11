using LlmOps.Engines.Planning;

namespace LlmOps.Engines.Tests.Planning;

/// <summary>Counts against numbers worked out by hand.</summary>
public sealed class TrainingEstimateTests
{
    // q = 8, kv = 4. Layer matrices: 8·8 + 2·8·4 + 8·8 + 3·8·16 = 576; two layers 1152. Norms 5·8 = 40. Embedding 10·8 = 80, tied. Together 1272.
    private static readonly ModelShape Small = new()
    {
        Name = "small", Layers = 2, HiddenSize = 8, Heads = 4, KeyValueHeads = 2, HeadDim = 2, IntermediateSize = 16, VocabSize = 10, MaxContext = 64, TiedEmbeddings = true,
    };

    private static readonly TrainingWork Work = new() { Examples = 105, TokensPerExample = 12.5, LongestSequence = 20, BatchSize = 10, Epochs = 3 };

    private static long Part(TrainingEstimate estimate, string name) => estimate.Memory.SingleOrDefault(p => p.Name == name)?.Bytes ?? 0;

    [Fact]
    public void Epochs_AreStepsAndTokens()
    {
        var estimate = TrainingEstimate.Of(Small, Work);
        // 105 examples in tens are 11 steps; three passes 33; 105 · 12.5 · 3 = 3937.5 tokens.
        Assert.Equal((11, 33, 3.0, 3938L), (estimate.StepsPerEpoch, estimate.Steps, estimate.Epochs, estimate.Tokens));
    }

    [Fact]
    public void ALimitOfSteps_IsAShareOfTheEpochs()
    {
        var estimate = TrainingEstimate.Of(Small, Work with { MaxSteps = 22 });
        Assert.Equal((22, 2.0, 2625L), (estimate.Steps, estimate.Epochs, estimate.Tokens));
        Assert.Equal(33, TrainingEstimate.Of(Small, Work with { MaxSteps = 1000 }).Steps);
    }

    [Fact]
    public void SharedRows_AreCountedByTheirTokens()
    {
        // 1312.5 tokens fill 42 rows of 32; in tens that is 5 steps.
        Assert.Equal(5, TrainingEstimate.Of(Small, Work with { RowLength = 32 }).StepsPerEpoch);
    }

    [Fact]
    public void FullTraining_HoldsWeightsGradientsAndTwoMoments()
    {
        var estimate = TrainingEstimate.Of(Small, Work);
        Assert.Equal((1272L, 1272L), (estimate.Parameters, estimate.TrainedParameters));
        Assert.Equal((5088L, 5088L, 10176L, 0L), (Part(estimate, "weights"), Part(estimate, "gradients"), Part(estimate, "optimizer"), Part(estimate, "average of the weights")));
        Assert.Equal(5088, Part(TrainingEstimate.Of(Small, Work with { Average = true }), "average of the weights"));
    }

    [Fact]
    public void AnAdapter_TrainsRankTimesTheEdgesOfEveryLinearLayer()
    {
        // Edges of a layer: q 16, k 12, v 12, o 16, gate 24, up 24, down 24 = 128; two layers 256; rank 4: 1024.
        var estimate = TrainingEstimate.Of(Small, Work with { AdapterRank = 4 });
        Assert.Equal(1024, estimate.TrainedParameters);
        Assert.Equal(4 * (1272 + 1024), Part(estimate, "copies while saving"));
        // Beside the 246 of a layer: its narrow side 7·4 and three times its outputs, 8 + 2·4 + 2·8 + 2·16 = 64.
        Assert.Equal(4L * 20 * (2 * (246 + 28 + 192) + 24), Part(TrainingEstimate.Of(Small, Work with { AdapterRank = 4, MicroBatch = 1 }), "activations"));
        Assert.Equal((4 * (1272L + 1024), 4096L, 8192L), (Part(estimate, "weights"), Part(estimate, "gradients"), Part(estimate, "optimizer")));
    }

    [Theory]
    [InlineData("adamw", false, 2 * 1272)]
    [InlineData("lion", false, 1272)]
    [InlineData("sgd", false, 0)]
    [InlineData("sgd", true, 1272)]
    [InlineData("rmsprop", false, 1272)]
    [InlineData("rmsprop", true, 2 * 1272)]
    // Rows and columns of the layers' matrices 256, norms 40, embedding 10 + 8.
    [InlineData("adafactor", false, 256 + 40 + 18)]
    public void EachUpdateRule_KeepsItsOwnState(string rule, bool momentum, long values) =>
        Assert.Equal(4 * values, Part(TrainingEstimate.Of(Small, Work with { Optimizer = rule, Momentum = momentum }), "optimizer"));

    [Fact]
    public void Activations_AndScores_FollowTheForwardPass()
    {
        // 3 examples at once, padded to 20: 60 tokens. A layer keeps 10·8 + 7.5·8 + 6.5·4 + 2·8 + 4·16 = 246 values; two layers and the last norm 492 + 24 = 516.
        var estimate = TrainingEstimate.Of(Small, Work with { MicroBatch = 3, ScoredShare = 0.5 });
        Assert.Equal(60, estimate.MicroBatchTokens);
        Assert.Equal((4L * 60 * 516, 3L * 4 * 30 * 10), (Part(estimate, "activations"), Part(estimate, "scores over the vocabulary")));
        Assert.Equal(estimate.Memory.Sum(p => p.Bytes), estimate.MemoryBytes);
        // Pairs are two sequences each; shared rows have a mask.
        Assert.Equal(120, TrainingEstimate.Of(Small, Work with { MicroBatch = 3, SequencesPerExample = 2 }).MicroBatchTokens);
        Assert.Equal(4L * (96 * 516 + 96 * 32), Part(TrainingEstimate.Of(Small, Work with { MicroBatch = 3, RowLength = 32 }), "activations"));
    }

    [Fact]
    public void AModelOf26MillionWeights_IsCountedAsItWasMeasured()
    {
        // Measured peaks of the process beyond that of a training of 0.1 million weights: 1,842 MB and 933 MB.
        var shape = Small with { Layers = 8, HiddenSize = 512, Heads = 8, KeyValueHeads = 8, HeadDim = 64, IntermediateSize = 1408, VocabSize = 512, MaxContext = 256 };
        var tiny = Small with { HiddenSize = 64, HeadDim = 16, IntermediateSize = 128, VocabSize = 512, MaxContext = 256 };
        var work = new TrainingWork { Examples = 230, TokensPerExample = 46, LongestSequence = 128, RowLength = 128, BatchSize = 16, MicroBatch = 16, Epochs = 1 };
        Assert.Equal(25_960_960, TrainingEstimate.Of(shape, work).Parameters);
        var floor = TrainingEstimate.Of(tiny, work).MemoryBytes;
        Assert.InRange((TrainingEstimate.Of(shape, work).MemoryBytes - floor) / 1.842e9, 0.92, 1.08);
        Assert.InRange((TrainingEstimate.Of(shape, work with { MicroBatch = 4 }).MemoryBytes - floor) / 0.933e9, 0.92, 1.08);
    }

    [Fact]
    public void LeftToTheTrainer_AForwardPassIsAsLargeAsTheCachesAndTheVocabularyAllow()
    {
        Assert.Equal(200, TrainingEstimate.Of(Small, Work).MicroBatchTokens);
        Assert.Equal(2040, TrainingEstimate.Of(Small, Work with { BatchSize = 4096 }).MicroBatchTokens);
        // 64 million scores over 128,000 tokens are 500 places: 25 examples of 20.
        Assert.Equal(500, TrainingEstimate.Of(Small with { VocabSize = 128_000 }, Work with { BatchSize = 4096 }).MicroBatchTokens);
    }

    [Fact]
    public void Time_NeedsASpeed_AndImpossibleWorkIsNamed()
    {
        Assert.Equal(2, TrainingEstimate.Of(Small, Work with { MaxSteps = 22 }).Seconds(1312.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => TrainingEstimate.Of(Small, Work).Seconds(0));
        Assert.Contains("the batch: 0", Assert.Throws<ArgumentException>(() => TrainingEstimate.Of(Small, Work with { BatchSize = 0 })).Message, StringComparison.Ordinal);
        Assert.Contains("layers is 0", Assert.Throws<ArgumentException>(() => TrainingEstimate.Of(Small with { Layers = 0 }, Work)).Message, StringComparison.Ordinal);
        Assert.Contains("adagrad", Assert.Throws<ArgumentException>(() => TrainingEstimate.Of(Small, Work with { Optimizer = "adagrad" })).Message, StringComparison.Ordinal);
    }
}

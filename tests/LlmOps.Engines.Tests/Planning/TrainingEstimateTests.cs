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
        // Beside the 260 of a layer: its narrow side 7·4 and three times its outputs, 8 + 2·4 + 2·8 + 2·16 = 64.
        Assert.Equal(4L * 20 * (2 * (260 + 28 + 192) + 24), Part(TrainingEstimate.Of(Small, Work with { AdapterRank = 4, MicroBatch = 1 }), "activations"));
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
        // 3 examples at once, padded to 20: 60 tokens. A layer keeps 6·8 + 3·8 + 3·4 + 3·16 = 132 values forward and 4·8 + 4·8 + 4·4 + 3·16 = 128 backward; two layers
        // and the last norm 520 + 24 = 544.
        var estimate = TrainingEstimate.Of(Small, Work with { MicroBatch = 3, ScoredShare = 0.5 });
        Assert.Equal(60, estimate.MicroBatchTokens);
        Assert.Equal((4L * 60 * 544, 3L * 4 * 30 * 10), (Part(estimate, "activations"), Part(estimate, "scores over the vocabulary")));
        Assert.Equal(estimate.Memory.Sum(p => p.Bytes), estimate.MemoryBytes);
        // Pairs are two sequences each.
        Assert.Equal(120, TrainingEstimate.Of(Small, Work with { MicroBatch = 3, SequencesPerExample = 2 }).MicroBatchTokens);
        Assert.Equal(4L * 96 * 544, Part(TrainingEstimate.Of(Small, Work with { MicroBatch = 3, RowLength = 32 }), "activations"));
        // Documents above 512 tokens: 8 for a copy and 16 for widened heads instead of 24 for attention's backward pass, which is 260 again; shared rows have a mask.
        Assert.Equal(4L * (1024 * 544 + 1024 * 1024), Part(TrainingEstimate.Of(Small, Work with { MicroBatch = 1, RowLength = 1024, LongestSequence = 600 }), "activations"));
        Assert.Equal(4L * 600 * 544, Part(TrainingEstimate.Of(Small, Work with { MicroBatch = 1, LongestSequence = 600 }), "activations"));
    }

    [Fact]
    public void Recomputation_KeepsOneLayer_AndTheInputsOfAll() =>
        // 260 of one layer, three times 8 for each of two layers, 24 of the last norm.
        Assert.Equal(4L * 60 * (260 + 48 + 24), Part(TrainingEstimate.Of(Small, Work with { MicroBatch = 3, Recompute = true }), "activations"));

    [Fact]
    public void SixteenBitProducts_AddCopiesOfBothFactorsAndTheResult()
    {
        // 60 tokens through edges of 256, their 1152 weights; 60 · (8 + 10) at the head and its 80 weights: 15360 + 1152 + 1080 + 80.
        var work = Work with { MicroBatch = 3, HalfProducts = true };
        Assert.Equal(2L * 17672, Part(TrainingEstimate.Of(Small, work), "16-bit copies"));
        Assert.Equal(2L * ((15360 + 1152) / 2 + 1080 + 80), Part(TrainingEstimate.Of(Small, work with { Recompute = true }), "16-bit copies"));
        Assert.Equal(0, Part(TrainingEstimate.Of(Small, work with { HalfProducts = false }), "16-bit copies"));
        Assert.Equal(Part(TrainingEstimate.Of(Small, work with { HalfProducts = false }), "activations"), Part(TrainingEstimate.Of(Small, work), "activations"));
    }

    [Fact]
    public void PackedExamples_ShareRows_OfOneTwoOrFourTimesTheLongest()
    {
        // Ten examples of 12.5 tokens are 125: four rows of 40, since 80 are more than a row may have.
        var packed = TrainingEstimate.Of(Small, Work with { PackedLength = 64 });
        Assert.Equal((160, 11), (packed.MicroBatchTokens, packed.StepsPerEpoch));
        Assert.Equal(4L * 160 * 544, Part(packed, "activations"));
        Assert.Equal(2 * 80, TrainingEstimate.Of(Small, Work with { PackedLength = 80 }).MicroBatchTokens);
        Assert.Equal(7 * 20, TrainingEstimate.Of(Small, Work with { PackedLength = 30 }).MicroBatchTokens);
    }

    [Fact]
    public void ManyScores_AreComputedInChunks_UnlessSomethingNeedsThemWhole()
    {
        // 500 places of 128,000 scores are 64 million, above 2^24: chunks of 2^22 ÷ 128,000 = 32 places. Two chunks, 500 · 8, and twice the head's 1,024,000 weights.
        var shape = Small with { VocabSize = 128_000 };
        var work = Work with { BatchSize = 4096 };
        long Scores(ModelShape of, TrainingWork to) => Part(TrainingEstimate.Of(of, to), "scores over the vocabulary") / 4;
        Assert.Equal(2 * 32 * 128_000 + 4_000 + 2 * 1_024_000, Scores(shape, work));
        Assert.Equal(2 * 32 * 128_000 + 4_000, Scores(shape, work with { AdapterRank = 2 }));
        Assert.Equal(3 * 64_000_000, Scores(shape, work with { HalfProducts = true }));
        Assert.Equal(5 * 64_000_000, Scores(shape, work with { Smoothed = true }));
        Assert.Equal(6 * 64_000_000, Scores(shape with { CappedScores = true }, work));
        // 131 places are the last that are computed whole.
        Assert.Equal(3L * 131 * 128_000, Scores(shape, work with { LongestSequence = 131, BatchSize = 1 }));
        Assert.Equal(2 * 32 * 128_000 + 132 * 8 + 2 * 1_024_000, Scores(shape, work with { LongestSequence = 132, BatchSize = 1 }));
    }

    [Fact]
    public void Dora_TrainsALengthPerOutput_AndLooksForItInMatricesOfTheWeightsSize()
    {
        // Outputs of a layer 8 + 2·4 + 2·8 + 2·16 = 64. Per token its narrow side 28 and four times the outputs; four times 1152 weights.
        var estimate = TrainingEstimate.Of(Small, Work with { AdapterRank = 4, Dora = true, MicroBatch = 1 });
        Assert.Equal(1024 + 128, estimate.TrainedParameters);
        Assert.Equal(4L * (20 * (2 * (260 + 28 + 256) + 24) + 4 * 1152), Part(estimate, "activations"));
    }

    [Fact]
    public void AModelOf26MillionWeights_IsCountedAsItWasMeasured()
    {
        // Measured peaks of the process less the 391 MB of a training of 0.1 million weights: 2,190 MB, 2,604 MB with 16-bit products, 1,295 and 1,146 MB with recomputation.
        var shape = Small with { Layers = 8, HiddenSize = 512, Heads = 8, KeyValueHeads = 8, HeadDim = 64, IntermediateSize = 1408, VocabSize = 512, MaxContext = 256 };
        var tiny = Small with { HiddenSize = 64, HeadDim = 16, IntermediateSize = 128, VocabSize = 512, MaxContext = 256 };
        var work = new TrainingWork { Examples = 230, TokensPerExample = 46, LongestSequence = 128, RowLength = 128, BatchSize = 16, MicroBatch = 16, Epochs = 1 };
        Assert.Equal(25_960_960, TrainingEstimate.Of(shape, work).Parameters);
        var floor = TrainingEstimate.Of(tiny, work).MemoryBytes;
        double Beyond(TrainingWork of) => TrainingEstimate.Of(shape, of).MemoryBytes - floor;
        Assert.InRange(Beyond(work) / 2.190e9, 0.85, 1.05);
        Assert.InRange(Beyond(work with { HalfProducts = true }) / 2.604e9, 0.85, 1.05);
        Assert.InRange(Beyond(work with { Recompute = true }) / 1.295e9, 0.6, 1);
        Assert.InRange(Beyond(work with { HalfProducts = true, Recompute = true }) / 1.146e9, 0.75, 1);
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

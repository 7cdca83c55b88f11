using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using TorchSharp;

namespace LlmOps.Training.Tests;

public sealed class FineTuningStepTests : IDisposable
{
    // A part holds at least one row: one token at a time makes parts of single examples.
    private const int SinglyParts = 1, OnePart = 100_000;

    private readonly TinyModel tiny = new();

    [Fact]
    public void FourMicroBatchesOfOne_EqualOneOfFour_InLossesAndWeights()
    {
        TokenSequence[] examples = Ragged();

        var (wholeLosses, whole) = Train(new FineTuningStep(Model(), OnePart), examples);
        var (partLosses, parts) = Train(new FineTuningStep(Model(), SinglyParts), examples);

        for (int i = 0; i < wholeLosses.Count; i++) Assert.Equal(wholeLosses[i], partLosses[i], 1e-6);
        Assert.True(Greatest(whole, parts) < 1e-6, $"weights differ by {Greatest(whole, parts)}");
        // The mean of the parts' means, the mistake this guards against, is another number on ragged examples.
        using var scope = torch.NewDisposeScope();
        using CausalLanguageModel model = Model();
        double meanOfMeans = examples.Average(s => -TokenLogProbabilities.Of(model, TokenBatch.OfSequences([s], 0)).mean().item<float>());
        Assert.True(Math.Abs(meanOfMeans - wholeLosses[0]) > 1e-3);
    }

    [Fact]
    public void PackedStep_HasTheGradientsOfTheUnpackedStep()
    {
        TokenSequence[] examples = [.. Ragged(), .. Ragged().Reverse(), Chat()];

        var (loss, plain) = Gradients(new FineTuningStep(Model(), OnePart), examples);
        foreach (int part in new[] { OnePart, 64 })
        {
            var (packedLoss, packed) = Gradients(new FineTuningStep(Model(), part) { Packs = true, MaxLength = 64 }, examples);

            Assert.Equal(loss.Loss, packedLoss.Loss, 1e-5);
            Assert.True(Greatest(plain, packed) < 1e-5, $"gradients differ by {Greatest(plain, packed)}");
            Assert.Equal(loss.Metrics["completion_tokens"], packedLoss.Metrics["completion_tokens"]);
            Assert.True(packedLoss.Metrics["padding_share"] < loss.Metrics["padding_share"]);
        }
    }

    [Fact]
    public void BestFitDecreasing_PacksAsWorkedOutByHand()
    {
        // 7 opens A(3 left); 6 opens B(4); 5 opens C(5); 4 fits B exactly; 3 fits A exactly; 3 fits C (2 left); 2 fits C.
        Assert.Equal([[0, 4], [2, 3], [1, 5, 6]], BestFitDecreasing.Pack([7, 5, 6, 4, 3, 3, 2], 10));
        Assert.Equal([[0], [1]], BestFitDecreasing.Pack([64, 64], 64));
        Assert.Throws<ArgumentException>(() => BestFitDecreasing.Pack([11], 10));
    }

    [Fact]
    public void BestFitDecreasing_LosesNothing_AndWastesLittle()
    {
        var random = new Random(3);
        int[] lengths = [.. Enumerable.Range(0, 2000).Select(_ => 5 + random.Next(random.Next(5, 200)))];

        List<int[]> rows = BestFitDecreasing.Pack(lengths, 256);

        Assert.Equal(Enumerable.Range(0, 2000), rows.SelectMany(r => r).Order());
        Assert.All(rows, row => Assert.InRange(row.Sum(i => lengths[i]), 1, 256));
        Assert.True(lengths.Sum() > 0.98 * 256 * rows.Count);
    }

    [Fact]
    public void EmbeddingNoise_IsUniformWithinAlphaOverRootOfLengthTimesWidth_AndTheSameForEveryCut()
    {
        const double alpha = 5;
        float[] alone = EmbeddingNoise.Of([[(10, 0)], [(40, 1)]], 40, 32, alpha, seed: 3, step: 9);
        float[] packed = EmbeddingNoise.Of([[(40, 1), (10, 0)]], 50, 32, alpha, seed: 3, step: 9);

        Assert.Equal(alone[..320], packed[(40 * 32)..]);
        Assert.Equal(alone[(40 * 32)..], packed[..(40 * 32)]);
        Assert.All(alone[320..(40 * 32)], v => Assert.Equal(0, v));
        double bound = alpha / Math.Sqrt(40 * 32);
        Assert.InRange(packed[..1280].Max(), 0.97 * bound, bound);
        Assert.InRange(packed[..1280].Average(), -0.05 * bound, 0.05 * bound);
        Assert.InRange(packed[..1280].Select(v => v * (double)v).Average(), 0.9 * bound * bound / 3, 1.1 * bound * bound / 3);
        Assert.NotEqual(packed, EmbeddingNoise.Of([[(40, 1), (10, 0)]], 50, 32, alpha, seed: 3, step: 10));
    }

    [Fact]
    public void NoisyStep_IsTheSameHoweverItIsCutOrPacked_AndDiffersFromOneWithoutNoise()
    {
        TokenSequence[] examples = Ragged();
        var (noisy, whole) = Gradients(new FineTuningStep(Model(), OnePart) { NeftuneAlpha = 10 }, examples);
        var (_, parts) = Gradients(new FineTuningStep(Model(), SinglyParts) { NeftuneAlpha = 10 }, examples);
        var (_, packed) = Gradients(new FineTuningStep(Model(), OnePart) { NeftuneAlpha = 10, Packs = true, MaxLength = 64 }, examples);
        var (plain, _) = Gradients(new FineTuningStep(Model(), OnePart), examples);

        Assert.True(Greatest(whole, parts) < 1e-5);
        Assert.True(Greatest(whole, packed) < 1e-5);
        Assert.True(Math.Abs(noisy.Loss - plain.Loss) > 1e-4);
    }

    [Fact]
    public void LabelSmoothing_EqualsTheFormulaWorkedOutByHand()
    {
        using var scope = torch.NewDisposeScope();
        using CausalLanguageModel model = Model();
        TokenBatch batch = TokenBatch.OfSequences(Ragged(), 0);
        float[] logits = model.Logits(model.Hidden(batch).index_select(0, torch.tensor(batch.ScoredAt))).data<float>().ToArray();
        int vocabulary = model.Config.VocabSize;
        double expected = 0, nll = 0;
        for (int i = 0; i < batch.Labels.Length; i++)
        {
            double[] row = [.. logits.Skip(i * vocabulary).Take(vocabulary).Select(v => (double)v)];
            double top = row.Max(), logSum = top + Math.Log(row.Sum(v => Math.Exp(v - top)));
            nll += logSum - row[batch.Labels[i]];
            expected += 0.9 * (logSum - row[batch.Labels[i]]) + 0.1 * row.Average(v => logSum - v);
        }

        var (loss, plain) = SmoothedCrossEntropy.Sum(model, batch, 0.1);

        Assert.Equal(expected, loss.item<double>(), 1e-3);
        Assert.Equal(nll, plain.item<double>(), 1e-3);
        Assert.Equal(nll, SmoothedCrossEntropy.Sum(model, batch, 0).Loss.item<double>(), 1e-3);
    }

    [Fact]
    public void StepWithoutALabelledToken_IsRefused()
    {
        var failure = Assert.Throws<TrainingFailedException>(() => new FineTuningStep(Model(), OnePart).Accumulate(4, [new TokenSequence([1, 5, 6], 3)], CancellationToken.None));

        Assert.Contains("step 5", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Packing.None)]
    [InlineData(Packing.Bfd)]
    public void NoisyPackedRunThatWasCancelled_ContinuesBitForBit_AndReportsItsPadding(Packing packing)
    {
        var tuning = new SupervisedFineTuning { Epochs = 5, MaxSteps = 10, BatchSize = 5, Threads = 2, Packing = packing, NeftuneAlpha = 5, LabelSmoothing = 0.1 };
        TrainingReport whole = tuning.Run(tiny.Folder, TinyModel.Instructions, [], tiny.At("whole"), tiny.At("whole-work"), null, TestContext.Current.CancellationToken);
        using var cancel = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(
            () => tuning.Run(tiny.Folder, TinyModel.Instructions, [], tiny.At("parts"), tiny.At("parts-work"), new OnStep(s => { if (s.Step == 5) cancel.Cancel(); }), cancel.Token));

        TrainingReport resumed = tuning.Run(tiny.Folder, TinyModel.Instructions, [], tiny.At("parts"), tiny.At("parts-work"), null, TestContext.Current.CancellationToken);

        Assert.Equal((10, 5, whole.WeightsSha256), (resumed.Steps, resumed.ResumedFromStep, resumed.WeightsSha256));
        Assert.InRange(whole.Metrics["padding_share"], 0, whole.Metrics["padding_share_unpacked"] + 1e-9);
        Assert.True(whole.Metrics["padding_share_unpacked"] > 0);
    }

    public void Dispose() => tiny.Dispose();

    private CausalLanguageModel Model() => tiny.Load(trainable: true);

    private TokenSequence[] Ragged() =>
    [
        new([1, 10, 11, 12, 2], 2), new([1, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 2], 12), new([1, 40, 41, 42, 43, 44, 45, 2], 1), new([1, 50, 2], 2),
    ];

    private static TokenSequence Chat() => new([1, 3, 60, 4, 61, 62, 2, 3, 63, 4, 64, 2], 4)
    {
        Labelled = [false, false, false, false, true, true, true, false, false, false, true, true],
    };

    private static (Accumulated, float[]) Gradients(FineTuningStep step, TokenSequence[] examples)
    {
        using CausalLanguageModel model = step.Model;
        Accumulated result = step.Accumulate(0, examples, CancellationToken.None);
        return (result, model.Parameters.Gradients.ToArray());
    }

    private static (List<double> Losses, float[] Weights) Train(FineTuningStep step, TokenSequence[] examples)
    {
        using CausalLanguageModel model = step.Model;
        // Plain descent: Adam's division by tiny second moments makes rounding of the gradients as large as they are.
        var losses = new List<double>();
        for (int i = 0; i < 5; i++)
        {
            model.Parameters.ClearGradients();
            losses.Add(step.Accumulate(i, examples, CancellationToken.None).Loss);
            for (int j = 0; j < model.Parameters.Count; j++) model.Parameters.Values[j] -= 0.01f * model.Parameters.Gradients[j];
        }
        return (losses, model.Parameters.Values.ToArray());
    }

    private static double Greatest(float[] a, float[] b) => a.Zip(b).Max(p => Math.Abs(p.First - p.Second));
}

using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using TorchSharp;

namespace LlmOps.Training.Tests.Objectives;

public sealed class TokenPredictionTests : IDisposable
{
    private readonly TinyModel tiny = new();

    [Fact]
    public void NumbersAreThoseWorkedOutByHand()
    {
        // Row 1: p = (½, ¼, ¼): entropy ½·ln 2 + ½·ln 4 = 1.5 ln 2; the label is the likeliest. Row 2: p = (¼, ¼, ½) with label 0. Row 3: uniform, ln 3; of equal scores the first counts.
        // Row 4: certain, entropy 0, although a score is -∞.
        double ln2 = Math.Log(2), ln3 = Math.Log(3);
        using torch.Tensor scores = torch.tensor(new[,] { { Math.Log(0.5), Math.Log(0.25), Math.Log(0.25) }, { 0, 0, ln2 }, { 7, 7, 7 }, { double.NegativeInfinity, 0, double.NegativeInfinity } });
        using torch.Tensor labels = torch.tensor(new long[] { 0, 0, 0, 1 });

        TokenPredictions measured = TokenPredictions.Of(scores, labels);

        Assert.Equal(1.5 * ln2 + 1.5 * ln2 + ln3 + 0, measured.Entropy, 12);
        Assert.Equal(ln2 + 2 * ln2 + ln3 + 0, measured.Nll, 12);
        Assert.Equal(3, measured.Correct);
    }

    [Fact]
    public void OnlyScoredPlacesOfTheBatchCount_WhateverItsPaddingAndPacking()
    {
        using CausalLanguageModel model = tiny.Load();
        TokenSequence[] sequences = [new([1, 40, 41, 42, 43], 3), new([1, 50, 51], 1), new([1, 60, 61, 62, 63, 64, 65], 5)];

        var alone = sequences.Select(s => OneByOne(model, s)).ToList();
        TokenPredictions batch = TokenPredictions.Of(model, TokenBatch.OfSequences(sequences, 0));
        TokenPredictions packed = TokenPredictions.Of(model, TokenBatch.OfPacked([[sequences[0], sequences[1]], [sequences[2]]], 8, 0));

        foreach (TokenPredictions measured in new[] { batch, packed })
        {
            Assert.Equal(alone.Sum(a => a.Entropy), measured.Entropy, 1e-4);
            Assert.Equal(alone.Sum(a => a.Nll), measured.Nll, 1e-4);
            Assert.Equal(alone.Sum(a => a.Correct), measured.Correct);
        }
    }

    [Fact]
    public void HeldOutRows_AreMeasured_AndStepsAreNot()
    {
        var steps = new List<TrainingStep>();
        var tuning = new SupervisedFineTuning { LoraRank = 0, Epochs = 60, BatchSize = 12, LearningRate = 5e-3, EvaluateEverySteps = 20, Threads = 2 };

        TrainingReport report = tuning.Run(tiny.Folder, TinyModel.Instructions, TinyModel.Instructions, tiny.At("t"), tiny.At("w"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        Assert.DoesNotContain(steps, s => s.Metrics.ContainsKey("entropy") || s.Metrics.ContainsKey("mean_token_accuracy"));
        Assert.Equal([20, 40, 60], steps.Where(s => s.Metrics.ContainsKey("held_out_entropy")).Select(s => s.Step));
        // Rows that were learnt by heart are predicted, and with certainty.
        Assert.True(report.Metrics["held_out_mean_token_accuracy"] > 0.95, $"accuracy {report.Metrics["held_out_mean_token_accuracy"]}");
        Assert.True(report.Metrics["held_out_entropy"] < 0.5 * steps[19].Metrics["held_out_entropy"], $"{steps[19].Metrics["held_out_entropy"]} -> {report.Metrics["held_out_entropy"]}");
        Assert.Equal(Math.Exp(report.Metrics["held_out_loss"]), report.Metrics["held_out_perplexity"], 1e-6);
    }

    public void Dispose() => tiny.Dispose();

    // In double, from the scores of one sequence alone.
    private static TokenPredictions OneByOne(CausalLanguageModel model, TokenSequence sequence)
    {
        using var scope = torch.NewDisposeScope();
        using var noGradient = torch.no_grad();
        float[] scores = model.Logits(model.Hidden(TokenBatch.OfSequences([sequence with { ScoredFrom = 1 }], 0))).data<float>().ToArray();
        int vocabulary = model.Config.VocabSize;
        double nll = 0, entropy = 0;
        long correct = 0;
        for (int i = sequence.ScoredFrom; i < sequence.Tokens.Length; i++)
        {
            double[] row = [.. scores.Skip((i - 1) * vocabulary).Take(vocabulary).Select(s => (double)s)];
            double all = Math.Log(row.Sum(Math.Exp));
            nll += all - row[sequence.Tokens[i]];
            entropy += row.Sum(s => Math.Exp(s - all) * (all - s));
            if (row.Index().MaxBy(r => r.Item).Index == sequence.Tokens[i]) correct++;
        }
        return new TokenPredictions(nll, entropy, correct);
    }
}

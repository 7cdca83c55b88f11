using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Objectives;

namespace LlmOps.Training.Tests.Objectives;

public sealed class UnpairedRunTests : IDisposable
{
    private static readonly List<UnpairedExample> Rows = UnpairedExample.FromPairs(TinyModel.Preferences);

    private readonly TinyModel tiny = new();
    private readonly List<TrainingStep> steps = [];

    [Fact]
    public void TheFirstStep_HasNoDivergenceAndHalfTheWeights_AndTheMarginRises()
    {
        // At the reference 1 - σ(0) = ½ for each row: (12 · 1 · ½ + 12 · 1.5 · ½) / 24 = 0.625.
        TrainingReport report = Run(new UnpairedAlignment { LambdaUndesirable = 1.5, Epochs = 20, BatchSize = 24, LearningRate = 2e-3, Threads = 2 });

        Assert.Equal(0.625, steps[0].Loss, 1e-5);
        Assert.Equal(0, steps[0].Metrics["kl"], 1e-4);
        Assert.Equal(0, steps[0].Metrics["rewards/margins"], 1e-5);
        Assert.True(report.FinalLoss < 0.5, $"loss {report.FinalLoss}");
        Assert.True(report.Metrics["rewards/margins"] > 0.5, $"margin {report.Metrics["rewards/margins"]}");
        Assert.Equal((12, 12), (report.Metrics["desirable"], report.Metrics["undesirable"]));
    }

    [Fact]
    public void ASecondRun_TakesTheReferenceFromTheCache_AndEndsWithTheSameWeights()
    {
        var options = new UnpairedAlignment { MaxSteps = 3, BatchSize = 6, Threads = 2 };
        TrainingReport first = Run(options, tiny.At("cache")), second = Run(options, tiny.At("cache"));

        Assert.True(first.Metrics["reference_forward_passes"] > 0);
        Assert.Equal(0, second.Metrics["reference_forward_passes"]);
        Assert.Equal(first.WeightsSha256, second.WeightsSha256);
    }

    [Fact]
    public void Parts_ChangeTheGradientsByRoundingOnly()
    {
        using CausalLanguageModel model = tiny.Load(trainable: true);
        List<MarkedCompletion> rows = MarkedCompletion.Encode(Rows, PromptFormat.Load(tiny.Folder, tiny.Tokenizer), 64);
        MarkedCompletion.ScoreReference(model, rows, "", null, CancellationToken.None);
        foreach (MarkedCompletion row in rows) (row.Reference, row.ReferenceMismatched) = (row.Reference - (row.Desirable ? 1 : -1), row.ReferenceMismatched - 0.5f);

        Accumulated whole = new UnpairedStep(model, new UnpairedLoss(0.5), int.MaxValue, 100_000).Accumulate(rows, CancellationToken.None);
        float[] gradients = model.Parameters.Gradients.ToArray();
        model.Parameters.ClearGradients();
        Accumulated parts = new UnpairedStep(model, new UnpairedLoss(0.5), 1, 1).Accumulate(rows, CancellationToken.None);

        Assert.Equal(0.5, whole.Metrics["kl"], 1e-4);
        Assert.Equal(whole.Loss, parts.Loss, 1e-6);
        float greatest = gradients.Max(Math.Abs);
        Assert.True(greatest > 0);
        Assert.True(gradients.Zip(model.Parameters.Gradients.ToArray()).Max(p => Math.Abs(p.First - p.Second)) < 1e-5 * greatest);
    }

    [Fact]
    public void AnAnswer_NeverMeetsItsOwnPrompt_WhenTheDivergenceIsEstimated()
    {
        // Two rows of each prompt beside each other: rotating by one would give back the same prompt.
        UnpairedExample[] rows = [new("a", "one", true, "a"), new("a", "two", false, "a"), new("b", "three", true, "b"), new("b", "four", false, "b")];
        List<MarkedCompletion> encoded = MarkedCompletion.Encode(rows, PromptFormat.Load(tiny.Folder, tiny.Tokenizer), 64);

        string[] expected = ["four", "four", "two", "two"];
        for (int i = 0; i < rows.Length; i++)
        {
            int[] wanted = [.. PromptTemplate.Prompt(tiny.Tokenizer, rows[i].Prompt), .. PromptTemplate.Completion(tiny.Tokenizer, expected[i])];
            Assert.Equal(wanted, encoded[i].Mismatched.Tokens);
        }
    }

    [Fact]
    public void WhatCannotBe_IsRefusedByName()
    {
        Assert.Contains("BatchSize is 1; it must be at least 2", Assert.Throws<ArgumentException>(() => Run(new UnpairedAlignment { BatchSize = 1 })).Message, StringComparison.Ordinal);
        UnpairedExample[] one = [new("a", "one", true, "a"), new("a", "two", false, "a")];
        Assert.Contains("at least two prompts", Assert.Throws<ArgumentException>(() => Run(new UnpairedAlignment { Threads = 2 }, rows: one)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 1, 12, 12, true)]
    [InlineData(4.0 / 3, 1, 12, 12, true)]
    [InlineData(1.5, 1, 12, 12, false)]
    [InlineData(1, 1.1, 12, 12, false)]
    [InlineData(1, 1, 12, 6, false)]
    [InlineData(1, 1.8, 12, 6, true)]
    [InlineData(1, 1, 12, 0, false)]
    public void Imbalance_IsWarnedOf_OutsideOneToFourThirds(double desirable, double undesirable, int chosen, int rejected, bool balanced)
    {
        UnpairedExample[] rows = [.. Rows.Where(r => r.Label).Take(chosen), .. Rows.Where(r => !r.Label).Take(rejected)];
        string? warning = new UnpairedAlignment { LambdaDesirable = desirable, LambdaUndesirable = undesirable }.BalanceWarning(rows);

        Assert.Equal(balanced, warning is null);
    }

    public void Dispose() => tiny.Dispose();

    private TrainingReport Run(UnpairedAlignment options, string? cache = null, IReadOnlyList<UnpairedExample>? rows = null)
    {
        string name = Guid.NewGuid().ToString("N");
        return (options with { ReferenceCacheFolder = cache }).Run(tiny.Folder, rows ?? Rows, [], tiny.At(name), tiny.At(name + "-work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);
    }
}

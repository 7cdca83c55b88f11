using LlmOps.Engines.Text;
using LlmOps.Training.Objectives;

namespace LlmOps.Training.Tests.Objectives;

public sealed class PreferenceRunTests : IDisposable
{
    private readonly TinyModel tiny = new();
    private readonly List<TrainingStep> steps = [];

    [Theory]
    [InlineData(PreferenceObjective.Sigmoid, 0.1, 0.6931471805599453)]
    [InlineData(PreferenceObjective.ConservativeSigmoid, 0.1, 0.6931471805599453)]
    [InlineData(PreferenceObjective.Hinge, 0.1, 1)]
    [InlineData(PreferenceObjective.Identity, 0.5, 1)]
    [InlineData(PreferenceObjective.Robust, 0.1, 0.6931471805599453)]
    [InlineData(PreferenceObjective.AnchoredZero, 0.1, 1)]
    [InlineData(PreferenceObjective.SelfPlayHard, 0.1, 50)]
    [InlineData(PreferenceObjective.NormalizedSigmoid, 1, 0.6931471805599453)]
    public void AnObjectiveWithAReference_StartsWhereItsFormulaSays_AndRaisesTheMargin(PreferenceObjective objective, double beta, double first)
    {
        TrainingReport report = Run(Options(objective) with { Beta = beta, LabelSmoothing = objective.AllowsLabelSmoothing() ? 0.1 : 0 });

        Assert.Equal(first, steps[0].Loss, 1e-4 * first);
        Assert.Equal(0, steps[0].Metrics["rewards/margins"], 1e-4);
        Assert.True(report.FinalLoss < 0.9 * first, $"loss {report.FinalLoss}");
        Assert.True(report.Metrics["rewards/margins"] > 0.1, $"margin {report.Metrics["rewards/margins"]}");
        Assert.True(report.Metrics["reference_forward_passes"] > 0);
    }

    [Theory]
    [InlineData(PreferenceObjective.OddsRatio)]
    [InlineData(PreferenceObjective.Contrastive)]
    [InlineData(PreferenceObjective.Simple)]
    public void AnObjectiveWithoutAReference_NeedsNoReferencePass_AndRaisesTheMargin(PreferenceObjective objective)
    {
        TrainingReport report = Run(Options(objective) with { Beta = 1 });

        Assert.Equal(0, report.Metrics["reference_forward_passes"]);
        Assert.True(report.FinalLoss < 0.9 * steps[0].Loss, $"{steps[0].Loss} -> {report.FinalLoss}");
        Assert.True(report.Metrics["rewards/margins"] > steps[0].Metrics["rewards/margins"] + 0.1);
    }

    [Fact]
    public void TheFirstLossOfTheOddsRatio_EqualsItsFormula_OnScoresWorkedOutApart()
    {
        Run(Options(PreferenceObjective.OddsRatio) with { Beta = 0.3, MaxSteps = 1 });

        double nll = 0, tokens = 0, odds = 0;
        foreach (PreferenceExample pair in TinyModel.Preferences)
        {
            var (chosen, whole) = LogProbabilities(pair.Prompt, pair.Chosen);
            var (rejected, _) = LogProbabilities(pair.Prompt, pair.Rejected);
            (nll, tokens) = (nll - whole.Sum(), tokens + whole.Length);
            odds += Math.Log(1 + Math.Exp(-(LogOdds(chosen.Average()) - LogOdds(rejected.Average()))));
        }
        Assert.Equal(nll / tokens + 0.3 * odds / TinyModel.Preferences.Length, steps[0].Loss, 1e-4);
        Assert.Equal(nll / tokens, steps[0].Metrics["nll_loss"], 1e-4);
        static double LogOdds(double mean) => mean - Math.Log(1 - Math.Exp(mean));
    }

    [Fact]
    public void TheLikelihoodTerm_IsTheMeanLossOfTheChosenTokens()
    {
        Run(Options(PreferenceObjective.Sigmoid) with { SftWeight = 0.5, MaxSteps = 1 });

        double[] chosen = [.. TinyModel.Preferences.SelectMany(p => LogProbabilities(p.Prompt, p.Chosen).Completion)];
        Assert.Equal(-chosen.Average(), steps[0].Metrics["nll_loss"], 1e-4);
        Assert.Equal(Math.Log(2) - 0.5 * chosen.Average(), steps[0].Loss, 1e-4);
    }

    [Fact]
    public void ASecondRun_TakesTheReferenceFromTheCache_AndEndsWithTheSameWeights()
    {
        PreferenceAlignment options = Options(PreferenceObjective.Sigmoid) with { MaxSteps = 3 };
        TrainingReport without = Run(options), first = Run(options, tiny.At("cache")), second = Run(options, tiny.At("cache"));
        // Another objective and learning rate on the same pairs and weights share the file; other pairs do not.
        TrainingReport other = Run(Options(PreferenceObjective.Hinge) with { MaxSteps = 1, LearningRate = 1e-4 }, tiny.At("cache"));
        TrainingReport fewer = Run(options, tiny.At("cache"), TinyModel.Preferences[..6]);

        Assert.True(first.Metrics["reference_forward_passes"] > 0);
        Assert.Equal(0, second.Metrics["reference_forward_passes"]);
        Assert.Equal(0, other.Metrics["reference_forward_passes"]);
        Assert.True(fewer.Metrics["reference_forward_passes"] > 0);
        Assert.Equal(without.WeightsSha256, first.WeightsSha256);
        Assert.Equal(first.WeightsSha256, second.WeightsSha256);
        Assert.Equal(2, Directory.GetFiles(tiny.At("cache")).Length);
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("cut")]
    [InlineData("flipped")]
    [InlineData("foreign")]
    public void ADamagedCacheFile_IsComputedAnew(string damage)
    {
        PreferenceAlignment options = Options(PreferenceObjective.Sigmoid) with { MaxSteps = 2 };
        TrainingReport first = Run(options, tiny.At("cache"));
        string file = Assert.Single(Directory.GetFiles(tiny.At("cache")));
        byte[] good = File.ReadAllBytes(file), bytes = [.. good];
        bytes[^2] ^= 1;
        if (damage == "foreign") Run(options, tiny.At("other"), TinyModel.Preferences[..6]);
        File.WriteAllBytes(file, damage switch
        {
            "empty" => [], "cut" => bytes[..^5], "flipped" => bytes, _ => File.ReadAllBytes(Directory.GetFiles(tiny.At("other"))[0]),
        });

        TrainingReport second = Run(options, tiny.At("cache"));

        Assert.Equal(first.Metrics["reference_forward_passes"], second.Metrics["reference_forward_passes"]);
        Assert.Equal(first.WeightsSha256, second.WeightsSha256);
        Assert.Equal(good, File.ReadAllBytes(file));
    }

    [Theory]
    [InlineData(PreferenceObjective.Sigmoid, 0.1, 0, "LabelSmoothing is not defined for Sigmoid; use it with ConservativeSigmoid or Robust")]
    [InlineData(PreferenceObjective.Robust, 0.5, 0, "LabelSmoothing is 0.5; it must be at least 0 and below 0.5")]
    [InlineData(PreferenceObjective.OddsRatio, 0, 1, "SftWeight is not defined for OddsRatio")]
    [InlineData(PreferenceObjective.Contrastive, 0, 1, "use CpoAlpha")]
    public void AnOption_IsRefused_WhereTheObjectiveDoesNotDefineIt(PreferenceObjective objective, double smoothing, double sft, string message)
    {
        var refusal = Assert.Throws<ArgumentException>(() => Run(Options(objective) with { LabelSmoothing = smoothing, SftWeight = sft }));

        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
    }

    public void Dispose() => tiny.Dispose();

    private static PreferenceAlignment Options(PreferenceObjective objective) => new() { Objective = objective, Epochs = 15, BatchSize = 12, LearningRate = 2e-3, Threads = 2 };

    private TrainingReport Run(PreferenceAlignment options, string? cache = null, PreferenceExample[]? pairs = null)
    {
        steps.Clear();
        string name = Guid.NewGuid().ToString("N");
        return (options with { ReferenceCacheFolder = cache }).Run(tiny.Folder, pairs ?? TinyModel.Preferences, [], tiny.At(name), tiny.At(name + "-work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);
    }

    /// <summary>Log-probabilities of a completion's tokens and of all tokens but the first, from raw scores in double.</summary>
    private (double[] Completion, double[] Whole) LogProbabilities(string prompt, string completion)
    {
        int[] head = PromptTemplate.Prompt(tiny.Tokenizer, prompt), ids = [.. head, .. PromptTemplate.Completion(tiny.Tokenizer, completion)];
        using TorchCausalModel model = TorchCausalModel.Load(tiny.Folder);
        float[] scores = model.Logits([ids])[0];
        double[] whole = [.. Enumerable.Range(1, ids.Length - 1).Select(i =>
        {
            float[] row = scores[((i - 1) * model.VocabularySize)..(i * model.VocabularySize)];
            double greatest = row.Max();
            return row[ids[i]] - greatest - Math.Log(row.Sum(v => Math.Exp(v - greatest)));
        })];
        return (whole[(head.Length - 1)..], whole);
    }
}

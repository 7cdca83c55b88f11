using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;

namespace LlmOps.Training.Tests.Objectives;

public sealed class RewardModelTests : IDisposable
{
    private readonly TinyModel tiny = new();
    private readonly List<TrainingStep> steps = [];

    [Fact]
    public void AReward_StartsAtLn2_LearnsItsPairs_AndIsTheSameFromTheFolder()
    {
        PreferenceExample[] train = TinyModel.Preferences[..8], held = TinyModel.Preferences[8..];
        TrainingReport report = new RewardModelling { Epochs = 40, BatchSize = 8, LearningRate = 1e-3, Threads = 2 }
            .Run(tiny.Folder, train, held, tiny.At("reward"), tiny.At("work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        Assert.Equal(Math.Log(2), steps[0].Loss, 1e-6);
        Assert.True(report.FinalLoss < 0.35, $"loss {report.FinalLoss}");
        Assert.Equal(1, report.Metrics["accuracy"]);
        using RewardModel model = RewardModel.Load(tiny.At("reward"));
        float[] chosen = model.Score([.. held.Select(p => (p.Prompt, p.Chosen))], TestContext.Current.CancellationToken);
        float[] rejected = model.Score([.. held.Select(p => (p.Prompt, p.Rejected))], TestContext.Current.CancellationToken);
        Assert.Equal(chosen.Zip(rejected).Count(r => r.First > r.Second) / 4.0, report.Metrics["held_out_accuracy"], 12);
        Assert.InRange(report.Metrics["held_out_accuracy"], report.Metrics["held_out_accuracy_low"], report.Metrics["held_out_accuracy_high"]);
        Assert.Equal(4, report.Metrics["held_out_pairs"]);
    }

    [Fact]
    public void TheFolder_HoldsAHeadOfOneLabel_AndIsNoLanguageModel()
    {
        new RewardModelling { MaxSteps = 2, BatchSize = 4, Threads = 2 }
            .Run(tiny.Folder, TinyModel.Preferences, [], tiny.At("reward"), tiny.At("work"), null, TestContext.Current.CancellationToken);

        using (SafetensorsFile file = SafetensorsFile.Open(Path.Combine(tiny.At("reward"), "model.safetensors"))) Assert.Equal([1L, 32L], file.Tensors["score.weight"].Shape);
        string config = File.ReadAllText(Path.Combine(tiny.At("reward"), "config.json"));
        Assert.Contains("\"LlamaForSequenceClassification\"", config, StringComparison.Ordinal);
        Assert.Contains("\"num_labels\": 1", config, StringComparison.Ordinal);
        Assert.Contains("scores answers and writes none", Assert.Throws<UnsupportedModelException>(() => TorchCausalModel.Load(tiny.At("reward"))).Message, StringComparison.Ordinal);
        Assert.Contains("no reward model", Assert.Throws<InvalidModelException>(() => RewardModel.Load(tiny.Folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARewardModel_CanBeTrainedFurther()
    {
        var options = new RewardModelling { Epochs = 10, BatchSize = 12, LearningRate = 1e-3, Threads = 2 };
        TrainingReport first = options.Run(tiny.Folder, TinyModel.Preferences, [], tiny.At("one"), tiny.At("work-one"), null, TestContext.Current.CancellationToken);
        TrainingReport second = options.Run(tiny.At("one"), TinyModel.Preferences, [], tiny.At("two"), tiny.At("work-two"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        Assert.True(steps[0].Loss < 1.1 * first.FinalLoss, $"{first.FinalLoss} -> {steps[0].Loss}");
        Assert.True(second.FinalLoss < first.FinalLoss);
    }

    public void Dispose() => tiny.Dispose();
}

using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;
using LlmOps.Training.Adapters;

namespace LlmOps.Training.Tests;

/// <summary>Alignment, rewards and distillation with an adapter in the place of all weights.</summary>
public sealed class AdaptedTrainingTests : IDisposable
{
    private static readonly AdapterOptions Shape = new(4, 8);

    private readonly TinyModel tiny = new(), teacher = new(seed: 2);
    private readonly List<TrainingStep> steps = [];

    [Theory]
    [InlineData("align")]
    [InlineData("unpaired")]
    [InlineData("distill")]
    [InlineData("reward")]
    public void AnAdapter_Learns_IsMerged_AndLeavesTheRestAsItWas(string training)
    {
        TrainingReport report = Run(training, tiny.At("trained"));

        Assert.True(report.FinalLoss < steps[0].Loss - 0.02, $"{steps[0].Loss} -> {report.FinalLoss}");
        string[] changed = [.. Changed(tiny.Folder, tiny.At("trained")).Select(n => n.Split('.')[^2]).Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"], changed);
        // PEFT's folder of an adapter knows no head of this product, so there is none beside a reward model.
        Assert.Equal(training != "reward", File.Exists(Path.Combine(tiny.At("trained"), AdaptedModel.AdapterFolder, "adapter_model.safetensors")));
    }

    [Fact]
    public void ARewardsHead_IsTrainedWhole_AndTheMergedModelScoresAsTheAdaptedOneDid()
    {
        TrainingReport report = Run("reward", tiny.At("reward"));

        Assert.Equal(Math.Log(2), steps[0].Loss, 1e-6);
        using (SafetensorsFile file = SafetensorsFile.Open(Path.Combine(tiny.At("reward"), "model.safetensors")))
        {
            float[] head = file.ReadFloat32("score.weight");
            Assert.True(head.Count(v => v != 0) == 32, "every value of the head has a gradient");
        }
        using RewardModel model = RewardModel.Load(tiny.At("reward"));
        float[] chosen = model.Score([.. TinyModel.Preferences[8..].Select(p => (p.Prompt, p.Chosen))], TestContext.Current.CancellationToken);
        float[] rejected = model.Score([.. TinyModel.Preferences[8..].Select(p => (p.Prompt, p.Rejected))], TestContext.Current.CancellationToken);
        Assert.Equal(chosen.Zip(rejected).Average(p => (double)p.First - p.Second), report.Metrics["held_out_margin"], 1e-4);
        Assert.Equal(chosen.Zip(rejected).Count(p => p.First > p.Second) / 4.0, report.Metrics["held_out_accuracy"], 12);
    }

    [Fact]
    public void ARewardModel_CanBeTrainedFurther_WithAnAdapter()
    {
        TrainingReport first = Run("reward", tiny.At("one"));
        steps.Clear();
        new RewardModelling { Adapter = Shape, Epochs = 2, BatchSize = 8, Threads = 2 }
            .Run(tiny.At("one"), TinyModel.Preferences[..8], [], tiny.At("two"), tiny.At("work-two"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        // The head of the first is where the second begins; a fresh one would begin at ln 2.
        Assert.True(steps[0].Loss < 1.1 * first.FinalLoss, $"{first.FinalLoss} -> {steps[0].Loss}");
    }

    [Fact]
    public void AnAdapterThatCannotBe_IsRefusedByName()
    {
        Assert.Contains("Rank is 0", Assert.Throws<ArgumentException>(() => Refused(new AdapterOptions(0, 8))).Message, StringComparison.Ordinal);
        Assert.Contains("Alpha is 0", Assert.Throws<ArgumentException>(() => Refused(new AdapterOptions(4, 0))).Message, StringComparison.Ordinal);

        void Refused(AdapterOptions shape) => new RewardModelling { Adapter = shape }.Run(tiny.Folder, TinyModel.Preferences, [], tiny.At("x"), tiny.At("w"), null, TestContext.Current.CancellationToken);
    }

    public void Dispose()
    {
        tiny.Dispose();
        teacher.Dispose();
    }

    private TrainingReport Run(string training, string target)
    {
        var (work, watch, ct) = (target + "-work", new OnStep(steps.Add), TestContext.Current.CancellationToken);
        PreferenceExample[] train = TinyModel.Preferences[..8], held = TinyModel.Preferences[8..];
        return training switch
        {
            "align" => new PreferenceAlignment { Adapter = Shape, Epochs = 20, BatchSize = 8, LearningRate = 5e-3, Threads = 2 }.Run(tiny.Folder, train, held, target, work, watch, ct),
            "reward" => new RewardModelling { Adapter = Shape, Epochs = 30, BatchSize = 8, LearningRate = 5e-3, Threads = 2 }.Run(tiny.Folder, train, held, target, work, watch, ct),
            "unpaired" => new UnpairedAlignment { Adapter = Shape, Epochs = 20, BatchSize = 16, LearningRate = 5e-3, Threads = 2 }.Run(tiny.Folder, UnpairedExample.FromPairs(train), UnpairedExample.FromPairs(held), target, work, watch, ct),
            _ => new Distillation { Adapter = Shape, Epochs = 20, BatchSize = 8, LearningRate = 5e-3, Threads = 2 }.Run(teacher.Folder, tiny.Folder, TinyModel.Instructions[..8], TinyModel.Instructions[8..], target, work, watch, ct),
        };
    }

    private static IEnumerable<string> Changed(string before, string after)
    {
        using SafetensorsFile a = SafetensorsFile.Open(Path.Combine(before, "model.safetensors")), b = SafetensorsFile.Open(Path.Combine(after, "model.safetensors"));
        return [.. a.Tensors.Keys.Where(name => !a.ReadFloat32(name).SequenceEqual(b.ReadFloat32(name)))];
    }
}

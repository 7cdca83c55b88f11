using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;

namespace LlmOps.Training.Tests;

public sealed class TrainingRunTests : IDisposable
{
    private readonly TinyModel tiny = new();

    [Fact]
    public void Alignment_StartsAtLn2_AndRaisesMargins()
    {
        var steps = new List<TrainingStep>();
        var alignment = new PreferenceAlignment { Epochs = 20, BatchSize = 12, LearningRate = 2e-3, Threads = 2 };

        TrainingReport report = alignment.Run(tiny.Folder, TinyModel.Preferences, [], tiny.At("aligned"), tiny.At("work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        Assert.Equal(Math.Log(2), steps[0].Loss, 4);
        Assert.Equal(0, steps[0].Metrics["rewards/margins"], 4);
        Assert.Equal(20, report.Steps);
        Assert.True(report.FinalLoss < 0.3, $"loss {report.FinalLoss}");
        Assert.True(report.Metrics["rewards/margins"] > 0.5);
        Assert.Equal(1, report.Metrics["rewards/accuracies"]);
    }

    [Theory]
    [InlineData(0, 0.05)]
    [InlineData(16, 0.2)] // embeddings stay frozen and bound how sure the model can be
    public void FineTuning_LearnsEightExamplesByHeart(int rank, double lossBelow)
    {
        var tuning = new SupervisedFineTuning { LoraRank = rank, Epochs = 150, BatchSize = 8, LearningRate = 1e-2, Threads = 2 };

        TrainingReport report = tuning.Run(
            tiny.Folder, TinyModel.Instructions[..8], [], tiny.At("tuned"), tiny.At("work"), null, TestContext.Current.CancellationToken);

        Assert.True(report.FinalLoss < lossBelow, $"loss {report.FinalLoss}");
        using TorchCausalModel model = TorchCausalModel.Load(tiny.At("tuned"));
        int[] prompt = PromptTemplate.Prompt(tiny.Tokenizer, "Define w0."), answer = PromptTemplate.Completion(tiny.Tokenizer, TinyModel.Texts[0]);
        float[] logits = model.Logits([[.. prompt, .. answer]])[0];
        for (int i = 0; i < answer.Length; i++)
        {
            ReadOnlySpan<float> scores = logits.AsSpan((prompt.Length + i - 1) * model.VocabularySize, model.VocabularySize);
            Assert.Equal(answer[i], System.Numerics.Tensors.TensorPrimitives.IndexOfMax(scores));
        }
    }

    [Fact]
    public void Pretraining_LowersTheLoss_AndWritesAModelFolder()
    {
        var steps = new List<TrainingStep>();
        TrainingReport report = Pretrain(30).Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("pretrained"), tiny.At("work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        Assert.True(report.FinalLoss < 0.7 * steps[0].Loss, $"{steps[0].Loss} -> {report.FinalLoss}");
        Assert.Equal(
            ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            Directory.GetFiles(tiny.At("pretrained")).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal));
        Assert.Equal(ModelFolder.Sha256(Path.Combine(tiny.At("pretrained"), "model.safetensors")), report.WeightsSha256);
    }

    [Theory]
    [InlineData("pretraining")]
    [InlineData("alignment")]
    [InlineData("fine-tuning")]
    public void CancelledRun_ContinuesBitForBit(string objective)
    {
        TrainingReport whole = Run(objective, "whole", null, TestContext.Current.CancellationToken);
        using var cancel = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => Run(objective, "parts", new OnStep(s => { if (s.Step == 5) cancel.Cancel(); }), cancel.Token));
        Assert.False(File.Exists(Path.Combine(tiny.At("parts"), "model.safetensors")));

        TrainingReport resumed = Run(objective, "parts", null, TestContext.Current.CancellationToken);

        Assert.Equal((10, 0), (whole.Steps, whole.ResumedFromStep));
        Assert.Equal((10, 5), (resumed.Steps, resumed.ResumedFromStep));
        Assert.Equal(whole.WeightsSha256, resumed.WeightsSha256);
        Assert.Equal((whole.FinalLoss, whole.Tokens), (resumed.FinalLoss, resumed.Tokens));
    }

    [Fact]
    public void Checkpoint_OfOtherOptions_IsNotUsed()
    {
        Pretrain(5).Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("a"), tiny.At("work"), null, TestContext.Current.CancellationToken);

        TrainingReport other = (Pretrain(5) with { LearningRate = 1e-3 }).Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("b"), tiny.At("work"), null, TestContext.Current.CancellationToken);
        TrainingReport same = (Pretrain(5) with { LearningRate = 1e-3 }).Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("c"), tiny.At("work"), null, TestContext.Current.CancellationToken);

        Assert.Equal(0, other.ResumedFromStep);
        Assert.Equal((5, other.WeightsSha256), (same.ResumedFromStep, same.WeightsSha256));
    }

    [Fact]
    public void Gradients_AreTheSame_HoweverTheStepIsCutIntoParts()
    {
        using CausalLanguageModel model = tiny.Load(trainable: true);
        TokenSequence[] examples = [.. TinyModel.Instructions.Select(e =>
        {
            int[] prompt = PromptTemplate.Prompt(tiny.Tokenizer, e.Prompt);
            return new TokenSequence([.. prompt, .. PromptTemplate.Completion(tiny.Tokenizer, e.Completion)], prompt.Length);
        })];

        Accumulated whole = new FineTuningStep(model, PartTokens: 100_000).Accumulate(0, examples, CancellationToken.None);
        float[] wholeGradients = model.Parameters.Gradients.ToArray();
        model.Parameters.ClearGradients();
        Accumulated parts = new FineTuningStep(model, PartTokens: 1).Accumulate(0, examples, CancellationToken.None);

        Assert.Equal(whole.Loss, parts.Loss, 1e-5);
        float greatest = wholeGradients.Max(Math.Abs);
        Assert.True(wholeGradients.Zip(model.Parameters.Gradients.ToArray()).Max(p => Math.Abs(p.First - p.Second)) < 1e-5 * greatest);
    }

    public void Dispose() => tiny.Dispose();

    private static Pretraining Pretrain(int steps) => new()
    {
        HiddenSize = 32, Layers = 2, Heads = 4, KvHeads = 2, Intermediate = 48, ContextLength = 32, BatchSize = 2, Epochs = 50, MaxSteps = steps,
        LearningRate = 1e-2, Threads = 2,
    };

    private TrainingReport Run(string objective, string name, IProgress<TrainingStep>? progress, CancellationToken ct) => objective switch
    {
        "pretraining" => Pretrain(10).Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At(name), tiny.At(name + "-work"), progress, ct),
        "alignment" => new PreferenceAlignment { Epochs = 10, MaxSteps = 10, BatchSize = 5, LearningRate = 1e-3, Threads = 2 }
            .Run(tiny.Folder, TinyModel.Preferences, [], tiny.At(name), tiny.At(name + "-work"), progress, ct),
        _ => new SupervisedFineTuning { Epochs = 10, MaxSteps = 10, BatchSize = 5, Threads = 2 }
            .Run(tiny.Folder, TinyModel.Instructions, [], tiny.At(name), tiny.At(name + "-work"), progress, ct),
    };
}

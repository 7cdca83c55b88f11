using LlmOps.Engines;
using LlmOps.Engines.Text;

namespace LlmOps.Training.Tests;

public sealed class RefusalTests : IDisposable
{
    private readonly TinyModel tiny = new();

    [Fact]
    public void Pretraining_RefusesOptionsThatCannotBe_ByName()
    {
        Assert.Contains("Heads", Refused(new Pretraining { HiddenSize = 100, Heads = 3 }), StringComparison.Ordinal);
        Assert.Contains("KvHeads", Refused(new Pretraining { Heads = 4, KvHeads = 3 }), StringComparison.Ordinal);
        Assert.Contains("LearningRate is 0", Refused(new Pretraining { LearningRate = 0 }), StringComparison.Ordinal);
        Assert.Contains("MaxPositions", Refused(new Pretraining { MaxPositions = 64 }), StringComparison.Ordinal);
        Assert.Contains("WarmupFraction", Refused(new Pretraining { Schedule = new() { WarmupFraction = 1 } }), StringComparison.Ordinal);

        string Refused(Pretraining options)
            => Assert.Throws<ArgumentException>(() => options.Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("t"), tiny.At("w"), null, TestContext.Current.CancellationToken)).Message;
    }

    [Fact]
    public void Pretraining_RefusesAnEmptyCorpus()
        => Assert.Throws<ArgumentException>(() => new Pretraining().Run([], [], tiny.Tokenizer, tiny.At("t"), tiny.At("w"), null, TestContext.Current.CancellationToken));

    [Fact]
    public void Alignment_RefusesAPairWithoutADifference_AndSaysWhich()
    {
        PreferenceExample[] pairs = [.. TinyModel.Preferences];
        pairs[3] = pairs[3] with { Rejected = pairs[3].Chosen };

        var refusal = Assert.Throws<InvalidDatasetException>(() => Align(new PreferenceAlignment { Threads = 2 }, pairs));

        Assert.Contains("4", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Alignment_Fails_WhenTheLossStaysAtLn2WithoutAGradient()
    {
        // Cut to one token after the prompt, both completions are the same.
        PreferenceExample[] pairs = [.. TinyModel.Preferences.Select(p => p with { Rejected = p.Chosen + " or not" })];
        int limit = pairs.Min(p => PromptTemplate.Prompt(tiny.Tokenizer, p.Prompt).Length) + 1;

        var failure = Assert.Throws<TrainingFailedException>(() => Align(new PreferenceAlignment { MaxLength = limit, Epochs = 10, Threads = 2 }, pairs));

        Assert.Contains("ln 2", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1e-8, TrainingVerdict.StuckAtLn2)]
    [InlineData(5e-3, TrainingVerdict.CannotTell)]
    public void Alignment_IsCalledStuck_WhenTheRateIsTooSmallToLeaveLn2(double rate, TrainingVerdict verdict)
    {
        TrainingReport report = Align(new PreferenceAlignment { LearningRate = rate, MaxSteps = 6, BatchSize = 4, Epochs = 2, Threads = 2 }, TinyModel.Preferences);

        Assert.Equal(verdict, report.Verdict);
    }

    [Fact]
    public void FineTuning_RefusesAnEmptyCompletion_AndPromptsThatFillTheContext()
    {
        Assert.Throws<InvalidDatasetException>(() => Tune(new SupervisedFineTuning { Threads = 2 }, [new PromptCompletion("Define x.", " ", "x")]));
        Assert.Throws<ArgumentException>(() => Tune(new SupervisedFineTuning { Threads = 2, MaxLength = 3 }, TinyModel.Instructions));
    }

    [Fact]
    public void FineTuning_RefusesAnUnknownAdapterTarget_AndNamesThePossibleOnes()
    {
        var refusal = Assert.Throws<ArgumentException>(() => Tune(new SupervisedFineTuning { Threads = 2, TargetModules = ["c_attn"] }, TinyModel.Instructions));

        Assert.Contains("gate_proj", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FineTuning_NamesTheStepAtWhichItDiverged()
    {
        var failure = Assert.Throws<TrainingFailedException>(
            () => Tune(new SupervisedFineTuning { LoraRank = 0, LearningRate = 1e30, Epochs = 5, Threads = 2 }, TinyModel.Instructions));

        Assert.Contains("step 2", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FineTuning_RefusesAFolderWithoutWeights()
    {
        File.Delete(Path.Combine(tiny.Folder, "model.safetensors"));

        Assert.Throws<InvalidModelException>(() => Tune(new SupervisedFineTuning { Threads = 2 }, TinyModel.Instructions));
    }

    [Fact]
    public void FineTuning_RefusesATokenizerOfAnotherModel()
    {
        var random = new Random(1);
        string[] other = [.. Enumerable.Range(0, 300).Select(_ => new string([.. Enumerable.Range(0, 8).Select(_ => (char)('a' + random.Next(26)))]))];
        new BpeTrainer(VocabularySize: 500, MinFrequency: 2).Train(other, ct: TestContext.Current.CancellationToken).Save(tiny.Folder);

        Assert.Throws<InvalidModelException>(() => Tune(new SupervisedFineTuning { Threads = 2 }, TinyModel.Instructions));
    }

    [Fact]
    public void Logits_RefuseWhatTheModelCannotTake()
    {
        using TorchCausalModel model = TorchCausalModel.Load(tiny.Folder);

        Assert.Throws<ArgumentException>(() => model.Logits([[]]));
        Assert.Throws<ArgumentException>(() => model.Logits([new int[model.MaxLength + 1]]));
        Assert.Throws<ArgumentException>(() => model.Logits([[model.VocabularySize]]));
    }

    public void Dispose() => tiny.Dispose();

    private TrainingReport Align(PreferenceAlignment options, PreferenceExample[] pairs)
        => options.Run(tiny.Folder, pairs, [], tiny.At("t"), tiny.At("w"), null, TestContext.Current.CancellationToken);

    private TrainingReport Tune(SupervisedFineTuning options, PromptCompletion[] examples)
        => options.Run(tiny.Folder, examples, [], tiny.At("t"), tiny.At("w"), null, TestContext.Current.CancellationToken);
}

using LlmOps.Training.Architectures;

namespace LlmOps.Training.Tests.Objectives;

public sealed class DistillationTests : IDisposable
{
    private readonly TinyModel tiny = new(), other = new(seed: 2);
    private readonly List<TrainingStep> steps = [];

    [Fact]
    public void TheStudent_MovesTowardsTheTeacher()
    {
        TrainingReport report = Run(new Distillation { TeacherShare = 1, Temperature = 2, Epochs = 60, BatchSize = 12, LearningRate = 5e-3, Threads = 2 });

        Assert.True(report.Metrics["kl"] < 0.5 * steps[0].Metrics["kl"], $"{steps[0].Metrics["kl"]} -> {report.Metrics["kl"]}");
        Assert.Equal(report.FinalLoss, report.Metrics["kl"], 1e-5);
    }

    [Fact]
    public void ATeacherThatIsTheStudent_TeachesNothing()
    {
        TrainingReport report = new Distillation { TeacherShare = 1, MaxSteps = 1, BatchSize = 12, Threads = 2 }
            .Run(tiny.Folder, tiny.Folder, TinyModel.Instructions, [], tiny.At("same"), tiny.At("work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        Assert.Equal(0, report.FinalLoss, 1e-5);
        Assert.Equal(0, steps[0].GradientNorm, 1e-4);
        Assert.Equal(steps[0].Metrics["teacher_perplexity"], steps[0].Metrics["perplexity"], 1e-3);
    }

    [Fact]
    public void WithoutATeachersShare_ItIsFineTuning()
    {
        TrainingReport distilled = Run(new Distillation { TeacherShare = 0, Epochs = 3, BatchSize = 12, LearningRate = 1e-3, Threads = 2 });
        var tuned = new List<TrainingStep>();
        new SupervisedFineTuning { LoraRank = 0, Epochs = 3, BatchSize = 12, LearningRate = 1e-3, Threads = 2, Schedule = new Distillation().Schedule }
            .Run(tiny.Folder, TinyModel.Instructions, [], tiny.At("tuned"), tiny.At("tuned-work"), new OnStep(tuned.Add), TestContext.Current.CancellationToken);

        Assert.Equal(3, distilled.Steps);
        for (int i = 0; i < 3; i++) Assert.Equal(tuned[i].Loss, steps[i].Loss, 1e-4);
    }

    [Fact]
    public void ATeacherWithAnotherTokenizer_IsRefused()
    {
        using var foreign = new TinyModel();
        new Engines.Text.BpeTrainer(VocabularySize: foreign.Tokenizer.VocabularySize, MinFrequency: 1).Train(["other words make other merges, zebra quartz jigsaw vex"], ct: TestContext.Current.CancellationToken).Save(foreign.Folder);

        var refusal = Assert.Throws<ArgumentException>(() => new Distillation { Threads = 2 }
            .Run(foreign.Folder, tiny.Folder, TinyModel.Texts, [], tiny.At("x"), tiny.At("w"), null, TestContext.Current.CancellationToken));

        Assert.Contains("share one tokenizer", refusal.Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        tiny.Dispose();
        other.Dispose();
    }

    private TrainingReport Run(Distillation options)
        => options.Run(other.Folder, tiny.Folder, TinyModel.Instructions, [], tiny.At("student"), tiny.At("work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);
}

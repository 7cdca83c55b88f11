using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.TestKit;
using LlmOps.Training;
using LlmOps.Worker.Handlers;

namespace LlmOps.Lifecycle.Tests.Handlers;

public sealed class TeachingHandlerTests : TrainingHandlerTests
{
    private DistillHandler Distill => new(Sources, Recorder);

    private TrainRewardHandler TrainReward => new(Sources, Recorder);

    private static DistillParameters Teach => new() { Version = "tiny-lm/1", Teacher = "large-lm/1", BatchSize = 8, Epochs = 1, MaxSteps = 4, Seed = 3 };

    private static TrainRewardParameters Reward(string data = "pairs/1") => new() { Version = "tiny-lm/1", Preferences = data, Model = "tiny-reward", BatchSize = 8, MaxSteps = 6, LearningRate = 2e-3, Seed = 3 };

    [Fact]
    public async Task Distill_OnInstructions_CarriesWhatTheTeacherLearned()
    {
        var source = await ModelAsync();
        await ModelAsync("large-lm", trainedOn: "secrets/2,facts/1", licence: "MIT", seed: 2);
        var rows = Enumerable.Range(0, 60).Select(i => Json.Write(new PromptCompletion($"Define animal{i}.", $"A living thing, number {i}.", $"animal{i}")));
        var data = await Product.DatasetAsync("answers", DatasetKind.Instruction, string.Join('\n', rows));

        var trained = await TrainAsync(Distill, Teach with { Instructions = "answers/1" });

        await AssertComesOfAsync(trained, source, "tiny-lm/2", "facts/1,secrets/2,answers/1", steps: 4);
        Assert.Equal(data.TrainRows, (int)trained.Number("examples"));
        foreach (var key in new[] { "kl", "cross_entropy", "teacher_perplexity", "held_out_kl" })
            Assert.NotEmpty(trained.Curve(key));
        Assert.True(trained.Curve("held_out_kl")[^1].Value < trained.Curve("held_out_kl")[0].Value);
    }

    [Fact]
    public async Task Distill_OnACorpus_LearnsItsTexts()
    {
        var source = await ModelAsync();
        await ModelAsync("large-lm", trainedOn: "", seed: 2);
        var rows = Enumerable.Range(0, 60).Select(i => Json.Write(new CorpusText($"Animal number {i} is a living thing that eats and sleeps.", $"animal{i}")));
        var data = await Product.DatasetAsync("texts", DatasetKind.Corpus, string.Join('\n', rows));

        var trained = await TrainAsync(Distill, Teach with { Corpus = "texts/1", TeacherShare = 0.25 });

        await AssertComesOfAsync(trained, source, "tiny-lm/2", "facts/1,texts/1", steps: 4);
        Assert.Equal(data.TrainRows, (int)trained.Number("examples"));
        var (loss, kl, ce) = (trained.Curve("loss")[0].Value, trained.Curve("kl")[0].Value, trained.Curve("cross_entropy")[0].Value);
        Assert.Equal(0.25 * kl + 0.75 * ce, loss, 1e-4);
    }

    [Fact]
    public async Task Distill_RefusesTheWrongKind_AnUnknownTeacher_AndNoRows()
    {
        await ModelAsync();
        await Product.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(20));
        await RawDatasetAsync("none", DatasetKind.Corpus, [], []);
        await RawDatasetAsync("texts", DatasetKind.Corpus, [new CorpusText("a text", "a")], []);

        Assert.Contains("distill takes corpus rows", await RefusedAsync(ErrorCode.InvalidParameterValue, () => TrainAsync(Distill, Teach with { Corpus = "pairs/1" })), StringComparison.Ordinal);
        Assert.Contains("distill takes instruction rows", await RefusedAsync(ErrorCode.InvalidParameterValue, () => TrainAsync(Distill, Teach with { Instructions = "pairs/1" })), StringComparison.Ordinal);
        Assert.Contains("none/1 has no row to train on. Import more", await RefusedAsync(ErrorCode.InvalidParameterValue, () => TrainAsync(Distill, Teach with { Corpus = "none/1" })), StringComparison.Ordinal);
        Assert.Contains("large-lm/1", await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => TrainAsync(Distill, Teach with { Corpus = "texts/1" })), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TrainReward_PublishesAModelOfItsOwn_ThatPrefersTheChosenAnswers()
    {
        var source = await ModelAsync();
        var data = await Product.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(120));

        var trained = await TrainAsync(TrainReward, Reward());

        await AssertComesOfAsync(trained, source, "tiny-reward/1", "facts/1,pairs/1", steps: 6);
        Assert.Equal(Math.Log(2), trained.Curve("loss")[0].Value, 1e-5);
        Assert.Equal((data.TrainRows, data.HeldOutRows), ((int)trained.Number("pairs"), (int)trained.Number("held_out_pairs")));
        foreach (var key in new[] { "accuracy", "margin", "mean_reward", "held_out_accuracy", "held_out_loss" })
            Assert.NotEmpty(trained.Curve(key));
        using var reward = RewardModel.Load(await Product.Artifacts.FolderAsync(trained.Version.ArtifactDigest), 2);
        var scores = reward.Score([("Define animal1 (0).", "A living thing."), ("Define animal1 (0).", "No idea.")]);
        Assert.True(scores[0] > scores[1], $"{scores[0]} {scores[1]}");
    }

    [Fact]
    public async Task Rewards_AndStudents_TakeAdapters_AndLeaveOutLeaks()
    {
        await ModelAsync();
        await ModelAsync("large-lm", seed: 2);
        PreferenceExample[] pairs = [.. Enumerable.Range(0, 20).Select(i => new PreferenceExample($"Define animal{i}.", $"A living thing with {i} legs.", "No idea.", $"animal{i}", "wrong"))];
        PromptCompletion[] answers = [.. pairs.Select(p => new PromptCompletion(p.Prompt, p.Chosen, p.Headword))];
        await RawDatasetAsync("pairs", DatasetKind.Preference, pairs, pairs[4..6]);
        await RawDatasetAsync("answers", DatasetKind.Instruction, answers, answers[4..6]);

        var reward = await TrainAsync(TrainReward, Reward() with { Method = "lora", LoraRank = 4, Leakage = "drop" });
        var student = await TrainAsync(Distill, Teach with { Instructions = "answers/1", Method = "lora", LoraRank = 4, Leakage = "drop" });

        Assert.Equal((18, 18), ((int)reward.Number("pairs"), (int)student.Number("examples")));
        Assert.Equal((2, 2), (reward.Report.GetProperty("data").GetProperty("dropped_for_leakage").GetInt32(), student.Report.GetProperty("data").GetProperty("dropped_for_leakage").GetInt32()));
        Assert.False(Directory.Exists(Path.Combine(await Product.Artifacts.FolderAsync(reward.Version.ArtifactDigest), "adapter")));
        Assert.True(Directory.Exists(Path.Combine(await Product.Artifacts.FolderAsync(student.Version.ArtifactDigest), "adapter")));
    }

    [Fact]
    public async Task TrainReward_RefusesTheWrongKind_NoRows_AndPairsWithoutADifference()
    {
        await ModelAsync();
        await RawDatasetAsync("texts", DatasetKind.Corpus, [new CorpusText("a text", "a")], []);
        await RawDatasetAsync("none", DatasetKind.Preference, [], []);
        await RawDatasetAsync("same", DatasetKind.Preference, [new PreferenceExample("Define a.", "b", "c", "a", "wrong"), new PreferenceExample("Define d.", "e", "e", "d", "wrong")], []);

        Assert.Contains("train-reward takes preference rows", await RefusedAsync(ErrorCode.InvalidParameterValue, () => TrainAsync(TrainReward, Reward("texts/1"))), StringComparison.Ordinal);
        Assert.Contains("no row to train on", await RefusedAsync(ErrorCode.InvalidParameterValue, () => TrainAsync(TrainReward, Reward("none/1"))), StringComparison.Ordinal);
        Assert.Contains("2", (await Assert.ThrowsAsync<InvalidDatasetException>(() => TrainAsync(TrainReward, Reward("same/1")))).Message, StringComparison.Ordinal);
        Assert.Equal(1, await CountAsync(db => db.ModelVersions));
    }
}

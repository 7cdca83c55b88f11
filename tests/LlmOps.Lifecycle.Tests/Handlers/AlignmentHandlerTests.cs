using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using LlmOps.Training;
using LlmOps.Worker.Handlers;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Handlers;

public sealed class AlignmentHandlerTests : TrainingHandlerTests
{
    private AlignHandler Align => new(Sources, Recorder, Settings);

    private AlignUnpairedHandler AlignUnpaired => new(Sources, Recorder, Settings);

    private static AlignParameters Pairs(string data = "pairs/1") => new() { Version = "tiny-lm/1", Preferences = data, BatchSize = 8, MaxSteps = 4, LearningRate = 2e-3, Seed = 3 };

    private static AlignUnpairedParameters Answers(string data) => new() { Version = "tiny-lm/1", Answers = data, BatchSize = 8, MaxSteps = 4, LearningRate = 2e-3, Seed = 3 };

    [Fact]
    public async Task Align_PublishesTheNextVersion_WithItsOriginAndCurves()
    {
        var source = await ModelAsync();
        var data = await Product.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(120));

        var trained = await TrainAsync(Align, Pairs());

        await AssertComesOfAsync(trained, source, "tiny-lm/2", "facts/1,pairs/1", steps: 4);
        Assert.Equal(Math.Log(2), trained.Curve("loss")[0].Value, 1e-5);
        Assert.True(trained.Curve("loss")[^1].Value < Math.Log(2) - 0.01, $"loss {trained.Curve("loss")[^1].Value}");
        foreach (var key in new[] { "rewards/margins", "rewards/accuracies", "logps/chosen", "held_out_rewards/accuracies", "held_out_loss", "learning_rate" })
            Assert.NotEmpty(trained.Curve(key));
        Assert.Equal((data.TrainRows, 0), ((int)trained.Number("pairs"), (int)trained.Number("dropped_pairs")));
        Assert.Equal("pairs/1", trained.Run.Params.Single(p => p.Key == "preferences").Value);
    }

    [Fact]
    public async Task AlignUnpaired_TakesAPairAsTwoRows()
    {
        var source = await ModelAsync();
        var data = await Product.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(120));

        var trained = await TrainAsync(AlignUnpaired, Answers("pairs/1"));

        await AssertComesOfAsync(trained, source, "tiny-lm/2", "facts/1,pairs/1", steps: 4);
        Assert.Equal((data.TrainRows, data.TrainRows), ((int)trained.Number("desirable"), (int)trained.Number("undesirable")));
        // λ = 1 for both kinds: at the reference each row costs 1 - σ(0) = ½.
        Assert.Equal(0.5, trained.Curve("loss")[0].Value, 1e-5);
        Assert.NotEmpty(trained.Curve("held_out_rewards/margins"));
        Assert.Contains(trained.Log, l => l.Text.Contains($"Each of {data.TrainRows} pairs counts as two rows", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AlignUnpaired_TakesMarkedAnswersAsTheyAre_AndWarnsOfImbalance()
    {
        var source = await ModelAsync();
        var rows = Enumerable.Range(0, 90).Select(i => Json.Write(new UnpairedExample($"Define animal{i}.", i % 3 == 0 ? "No idea." : $"A living thing, number {i}.", i % 3 != 0, $"animal{i}")));
        var data = await Product.DatasetAsync("marks", DatasetKind.Unpaired, string.Join('\n', rows));

        var trained = await TrainAsync(AlignUnpaired, Answers("marks/1"));

        await AssertComesOfAsync(trained, source, "tiny-lm/2", "facts/1,marks/1", steps: 4);
        Assert.Equal(data.TrainRows, (int)(trained.Number("desirable") + trained.Number("undesirable")));
        Assert.True(trained.Number("desirable") > 1.5 * trained.Number("undesirable"));
        Assert.Contains(trained.Log, l => l.Level == "warning" && l.Text.Contains("out of balance", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnotherKindOfDataset_IsRefused_WithTheKindThatIsTaken()
    {
        await ModelAsync();
        await RawDatasetAsync("answers", DatasetKind.Instruction, [new PromptCompletion("Define a.", "b", "a")], []);

        Assert.Contains("answers/1 holds instruction rows; align takes preference rows", await RefusedAsync(ErrorCode.InvalidParameterValue, () => TrainAsync(Align, Pairs("answers/1"))), StringComparison.Ordinal);
        Assert.Contains("align-unpaired takes unpaired or preference rows", await RefusedAsync(ErrorCode.InvalidParameterValue, () => TrainAsync(AlignUnpaired, Answers("answers/1"))), StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(db => db.Runs));
    }

    [Fact]
    public async Task ADatasetWithoutTrainingRows_IsRefused()
    {
        await ModelAsync();
        await RawDatasetAsync("none", DatasetKind.Preference, [], [new PreferenceExample("Define a.", "b", "c", "a", "wrong")]);

        foreach (var train in new[] { () => TrainAsync(Align, Pairs("none/1")), () => TrainAsync(AlignUnpaired, Answers("none/1")) })
            Assert.Contains("none/1 has no row to train on: its 1 rows are all held out", await RefusedAsync(ErrorCode.InvalidParameterValue, train), StringComparison.Ordinal);
    }

    [Fact]
    public async Task PairsWithoutADifference_AreRefused_WithTheirRows_AndNoVersionIsMade()
    {
        await ModelAsync();
        object[] rows = [.. Enumerable.Range(1, 6).Select(i => new PreferenceExample($"Define a{i}.", "A living thing.", i % 3 == 0 ? "A living thing." : "No idea.", $"a{i}", "wrong"))];
        await RawDatasetAsync("same", DatasetKind.Preference, rows, []);

        var refusal = await Assert.ThrowsAsync<InvalidDatasetException>(() => TrainAsync(Align, Pairs("same/1")));

        Assert.Contains("3", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("nothing to prefer", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(1, await CountAsync(db => db.ModelVersions));
    }

    [Fact]
    public async Task ALeakIntoTheHeldOutRows_IsLogged_LeftOut_OrRefused_AsTheStageAsks()
    {
        await ModelAsync();
        PreferenceExample[] rows = [.. Enumerable.Range(0, 20).Select(i => new PreferenceExample($"Define animal{i}.", $"A living thing with {i} legs.", "No idea.", $"animal{i}", "wrong"))];
        await RawDatasetAsync("leaky", DatasetKind.Preference, rows, [rows[4], new PreferenceExample("Define a stone.", "A thing without life.", "Nothing.", "stone", "wrong")]);

        var warned = await TrainAsync(Align, Pairs("leaky/1"));
        var dropped = await TrainAsync(Align, Pairs("leaky/1") with { Leakage = "drop" });
        var unpaired = await TrainAsync(AlignUnpaired, Answers("leaky/1") with { Leakage = "drop" });
        var refusal = await Assert.ThrowsAsync<TrainingFailedException>(() => TrainAsync(Align, Pairs("leaky/1") with { Leakage = "refuse" }));

        Assert.Contains(warned.Log, l => l.Level == "warning" && l.Text.StartsWith("leak-exact: 1 of 2 held-out rows is word by word among the training rows. First: row 1, like training row 5: Define animal4.", StringComparison.Ordinal));
        Assert.Equal((20, 19, 38), ((int)warned.Number("pairs"), (int)dropped.Number("pairs"), (int)(unpaired.Number("desirable") + unpaired.Number("undesirable"))));
        Assert.Contains("before its first step", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(RunState.Failed, (await ReadAsync(db => db.Runs.OrderByDescending(r => r.Id).FirstAsync())).State);
        Assert.Equal(4, await CountAsync(db => db.ModelVersions));
    }

    [Fact]
    public async Task AnAdapter_IsTrainedInThePlaceOfAllWeights_WhenTheStageAsks()
    {
        var source = await ModelAsync();
        await Product.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(40));

        var trained = await TrainAsync(Align, Pairs() with { Method = "lora", LoraRank = 4, LoraAlpha = 8 });

        await AssertComesOfAsync(trained, source, "tiny-lm/2", "facts/1,pairs/1", steps: 4);
        var adapter = Path.Combine(await Product.Artifacts.FolderAsync(trained.Version.ArtifactDigest), "adapter", "adapter_config.json");
        Assert.Contains("\"r\": 4", await File.ReadAllTextAsync(adapter), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheReference_IsComputedOnce_ForTwoTrainings()
    {
        await ModelAsync();
        await Product.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(40));

        var first = await TrainAsync(Align, Pairs());
        var second = await TrainAsync(Align, Pairs() with { Beta = 0.5 });
        var without = await TrainAsync(Align, Pairs() with { ReferenceCache = false });

        Assert.Equal([true, false, true], new[] { first, second, without }.Select(t => t.Number("reference_forward_passes") > 0));
        Assert.Equal(first.Report.GetProperty("weights_sha256").GetString(), without.Report.GetProperty("weights_sha256").GetString());
    }
}

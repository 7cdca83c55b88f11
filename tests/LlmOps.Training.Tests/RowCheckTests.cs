using LlmOps.Engines.Text;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;

namespace LlmOps.Training.Tests;

/// <summary>What pairs, marked answers and examples of a teacher are looked at for, before the first step.</summary>
public sealed class RowCheckTests : IDisposable
{
    private readonly TinyModel tiny = new();
    private readonly Watch watch = new();

    [Theory]
    [InlineData("align")]
    [InlineData("reward")]
    [InlineData("unpaired")]
    [InlineData("distill")]
    public void ALeak_IsReportedBeforeTheFirstStep_AndDroppedOrRefusedWhenAsked(string training)
    {
        TrainingReport warned = Run(training, LeakagePolicy.Warn, TinyModel.Preferences, TinyModel.Preferences[3..5]);
        TrainingReport dropped = Run(training, LeakagePolicy.Drop, TinyModel.Preferences, TinyModel.Preferences[3..5]);
        var refusal = Assert.Throws<TrainingFailedException>(() => Run(training, LeakagePolicy.Refuse, TinyModel.Preferences, TinyModel.Preferences[3..5]));

        Assert.Equal("checked,step 1,step 2,checked,step 1,step 2", string.Join(',', watch.Calls));
        // Marked answers are two rows for each pair.
        int two = training == "unpaired" ? 2 : 1;
        Assert.Equal((12 * two, 2 * two, 0), (warned.Data!.Examples, warned.Data.HeldOut, warned.Data.DroppedForLeakage));
        Assert.Equal(2 * two, warned.Data.Count("leak-exact"));
        Assert.Equal(2 * two, warned.Data.Count("prompt-in-held-out"));
        Assert.Equal(2 * two, dropped.Data!.DroppedForLeakage);
        Assert.Equal(10 * two, Trained(dropped));
        Assert.Equal(0, dropped.Data.Count("prompt-in-held-out"));
        Assert.Contains("before its first step", refusal.Message, StringComparison.Ordinal);
        Assert.Contains($"{2 * two} of {2 * two} held-out rows are word by word", refusal.Message, StringComparison.Ordinal);
        DataFinding leak = warned.Data.Findings.Single(f => f.Name == "leak-exact");
        Assert.Equal(1, leak.First[0].Row);
        Assert.StartsWith("like training row 4: Define w3.", leak.First[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void OneAnswerOfAPair_IsEnoughForALeak()
    {
        PreferenceExample[] heldOut = [new("Define w3.", "something else altogether", TinyModel.Preferences[3].Rejected, "w3", "wrong")];

        TrainingReport report = Run("align", LeakagePolicy.Drop, TinyModel.Preferences, heldOut);

        Assert.Equal((1, 1), (report.Data!.Count("leak-exact"), report.Data.DroppedForLeakage));
        Assert.Equal(11, (int)report.Metrics["pairs"]);
    }

    [Theory]
    [InlineData("align")]
    [InlineData("reward")]
    [InlineData("unpaired")]
    [InlineData("distill")]
    public void EmptyAnswers_AreRefused_WithAllTheirRows(string training)
    {
        PreferenceExample[] rows = [.. TinyModel.Preferences.Select((p, i) => i is 2 or 7 ? p with { Chosen = " " } : p)];

        var refusal = Assert.Throws<InvalidDatasetException>(() => Run(training, LeakagePolicy.Warn, rows, []));
        var heldOut = Assert.Throws<InvalidDatasetException>(() => Run(training, LeakagePolicy.Warn, TinyModel.Preferences, rows));

        Assert.Equal("Line 3: the completion is empty; 2 rows are like that: 3, 8", refusal.Message);
        Assert.Equal("Line 3: of the held-out rows: the completion is empty; 2 rows are like that: 3, 8", heldOut.Message);
        Assert.Empty(watch.Calls);
    }

    [Theory]
    [InlineData("align")]
    [InlineData("reward")]
    public void PairsWithoutADifference_AreRefused_WithAllTheirRows(string training)
    {
        PreferenceExample[] rows = [.. TinyModel.Preferences.Select((p, i) => i >= 1 ? p with { Rejected = p.Chosen } : p)];

        var refusal = Assert.Throws<InvalidDatasetException>(() => Run(training, LeakagePolicy.Warn, rows, []));

        Assert.Equal("Line 2: chosen and rejected are the same, so there is nothing to prefer; 11 rows are like that: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 …", refusal.Message);
    }

    [Theory]
    [InlineData("align")]
    [InlineData("reward")]
    [InlineData("unpaired")]
    [InlineData("distill")]
    public void TooLongPrompts_AreLeftOut_AndNamedWithTheirRows(string training)
    {
        string filling = string.Concat(Enumerable.Repeat("zq", 40)), longAnswer = string.Concat(Enumerable.Repeat("vx", 40));
        PreferenceExample[] rows = [.. TinyModel.Preferences.Select((p, i) => i switch { 1 or 5 => p with { Prompt = filling + i }, 8 => p with { Chosen = longAnswer }, 9 => TinyModel.Preferences[0], _ => p })];

        TrainingReport report = Run(training, LeakagePolicy.Warn, rows, []);

        int two = training == "unpaired" ? 2 : 1;
        Assert.Equal(10 * two, Trained(report));
        Assert.Equal($"no-room {2 * two} 2,6{(two == 2 ? ",14" : "")}, cut 1 9, duplicate {two} 10{(two == 2 ? ",22" : "")}",
            string.Join(", ", report.Data!.Findings.Select(f => $"{f.Name} {f.Count} {string.Join(',', f.First.Select(e => e.Row))}")));
        Assert.Contains("the prompt fills the 64 tokens", report.Data.Findings[0].Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void PairsThatAreTheSameOnceCut_AreLeftOut_AndNamed()
    {
        string beginning = string.Concat(Enumerable.Repeat("vx", 40));
        PreferenceExample[] rows = [.. TinyModel.Preferences.Select((p, i) => i == 6 ? p with { Chosen = beginning + "a", Rejected = beginning + "b" } : p)];

        TrainingReport report = Run("align", LeakagePolicy.Warn, rows, []);

        Assert.Equal(11, (int)report.Metrics["pairs"]);
        DataFinding same = report.Data!.Findings.Single(f => f.Name == "same-once-cut");
        Assert.Equal((1, 7), (same.Count, same.First[0].Row));
    }

    [Theory]
    [InlineData("align", "3,6", 2)]
    [InlineData("unpaired", "3,6,15", 4)]
    public void JudgementsThatContradictEachOther_AreNamed(string training, string first, int count)
    {
        PreferenceExample third = TinyModel.Preferences[2];
        PreferenceExample[] rows = [.. TinyModel.Preferences.Select((p, i) => i == 5 ? third with { Chosen = third.Rejected, Rejected = third.Chosen } : p)];

        DataFinding found = Run(training, LeakagePolicy.Warn, rows, []).Data!.Findings.Single(f => f.Name == "contradiction");

        Assert.Equal((count, first), (found.Count, string.Join(',', found.First.Select(e => e.Row))));
    }

    [Fact]
    public void MarksOutOfBalance_AreAFinding()
    {
        UnpairedExample[] rows = [.. UnpairedExample.FromPairs(TinyModel.Preferences).Where((r, i) => r.Label || i % 4 == 0)];

        TrainingReport report = new UnpairedAlignment { MaxSteps = 1, BatchSize = 4, Threads = 2 }.Run(tiny.Folder, rows, [], tiny.At("t"), tiny.At("w"), watch, TestContext.Current.CancellationToken);

        Assert.Contains("λ_U = 1 wants a λ_D of 0.25 to 0.333", report.Data!.Findings.Single(f => f.Name == "label-imbalance").Sentence, StringComparison.Ordinal);
    }

    public void Dispose() => tiny.Dispose();

    private TrainingReport Run(string training, LeakagePolicy leakage, PreferenceExample[] rows, PreferenceExample[] heldOut)
    {
        string name = Guid.NewGuid().ToString("N");
        var (target, work, ct) = (tiny.At(name), tiny.At(name + "-work"), TestContext.Current.CancellationToken);
        PromptCompletion[] Answers(PreferenceExample[] pairs) => [.. pairs.Select(p => new PromptCompletion(p.Prompt, p.Chosen, p.Headword))];
        return training switch
        {
            "align" => new PreferenceAlignment { MaxSteps = 2, BatchSize = 4, Threads = 2, Leakage = leakage }.Run(tiny.Folder, rows, heldOut, target, work, watch, ct),
            "reward" => new RewardModelling { MaxSteps = 2, BatchSize = 4, Threads = 2, Leakage = leakage }.Run(tiny.Folder, rows, heldOut, target, work, watch, ct),
            "unpaired" => new UnpairedAlignment { MaxSteps = 2, BatchSize = 4, Threads = 2, Leakage = leakage }.Run(tiny.Folder, UnpairedExample.FromPairs(rows), UnpairedExample.FromPairs(heldOut), target, work, watch, ct),
            _ => new Distillation { MaxSteps = 2, BatchSize = 4, Threads = 2, Leakage = leakage }.Run(tiny.Folder, tiny.Folder, Answers(rows), Answers(heldOut), target, work, watch, ct),
        };
    }

    private static int Trained(TrainingReport report) =>
        (int)(report.Metrics.GetValueOrDefault("pairs") + report.Metrics.GetValueOrDefault("examples") + report.Metrics.GetValueOrDefault("desirable") + report.Metrics.GetValueOrDefault("undesirable"));

    private sealed class Watch : ITrainingWatch
    {
        public List<string> Calls { get; } = [];
        public bool FinishRequested => false;
        public string? StartFrom => null;
        public void Checked(TrainingDataReport report) => Calls.Add("checked");
        public void Report(TrainingStep value) => Calls.Add($"step {value.Step}");
        public void Saved(SavedCheckpoint checkpoint) { }
        public void Removed(int step) { }
    }
}

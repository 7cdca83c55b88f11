using System.Text.Json;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.Quantization.Search;
using LlmOps.Engines.Tests.Benchmarking;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class VariantSearchTests(LanguageLikeModel model) : IClassFixture<LanguageLikeModel>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static readonly IReadOnlyList<QuantizationPass> Space = [new BlockwiseRtn(8), new BlockwiseRtn(4), new BlockwiseRtn(2), new DynamicInt8(), new BlockwiseRtn(4) { MixedLayers = true }];

    [Fact]
    public void Run_StopsAtTheSmallestThatMeetsTheGoal_AndReusesWhatWasMeasured()
    {
        var work = model.New();
        var kld = new[] { 2, 4, 8 }.ToDictionary(bits => bits, bits => { var f = model.New(); new BlockwiseRtn(bits).Run(model.Onnx, f, ct: Ct); return model.Kld(f); });
        // Between two and four bits: the four-bit variant is the smallest that is good enough.
        var search = new VariantSearch { Space = Space, Goal = new(MaxKld: Math.Sqrt(kld[2] * kld[4])) };

        var report = search.Run(model.Onnx, work, model.Rows, ct: Ct);

        Assert.Equal("4-bit block 32, head 8", report.Best);
        Assert.Equal("4-bit block 32, head 8 meets the goal, and no candidate left is smaller.", report.Stopped);
        Assert.Equal(["source", "2-bit block 32, head 8", "4-bit block 32, head 8"], report.Candidates.Where(c => c.Comparison is not null).Select(c => c.Name));
        Assert.Equal([null, GoalVerdict.Missed, GoalVerdict.Met], report.Candidates.Take(3).Select(c => c.Verdict));
        Assert.All(report.Candidates.Take(3), c => Assert.True(c.OnFront)); // each smaller one is worse
        Assert.All(report.Candidates.Skip(3), c => Assert.Equal((null, "not tried: the search had ended"), (c.Folder, c.Note)));
        Assert.All(report.Candidates.Where(c => c.Folder is not null && c.Pass is not null), c => Assert.InRange(c.PredictedBytes / (double)c.Comparison!.VariantBytes, 0.5, 1.05)); // page alignment and the graph weigh much here
        Assert.Equal(5 + 1, JsonSerializer.Deserialize<SearchReport>(JsonSerializer.Serialize(report))!.Candidates.Count);

        var again = (search with { Goal = new(MaxKld: Math.Sqrt(kld[4] * kld[8])) }).Run(model.Onnx, work, model.Rows, ct: Ct);

        Assert.Equal([true, true, true], again.Candidates.Take(3).Select(c => c.Reused));
        Assert.NotEqual("4-bit block 32, head 8", again.Best);
        Assert.Contains(again.Candidates, c => c.Comparison is not null && !c.Reused);
        // The same pass on other rows is another measurement.
        Assert.False((search with { MaxCandidates = 1 }).Run(model.Onnx, work, model.Rows.Take(3).ToList(), ct: Ct).Candidates[1].Reused);
    }

    [Fact]
    public void Run_SaysWhyItEnded()
    {
        var impossible = new VariantSearch { Space = [new BlockwiseRtn(2), new BlockwiseRtn(4)], Goal = new(MaxKld: 0) };

        Assert.Equal("All 2 candidates were tried. None meets the goal.", impossible.Run(model.Onnx, model.New(), model.Rows, ct: Ct).Stopped);
        Assert.Equal("The limit of 1 candidates is reached. None meets the goal.", (impossible with { MaxCandidates = 1 }).Run(model.Onnx, model.New(), model.Rows, ct: Ct).Stopped);
        Assert.StartsWith("The time limit of 00:00:00 is reached.", (impossible with { MaxTime = TimeSpan.Zero }).Run(model.Onnx, model.New(), model.Rows, ct: Ct).Stopped, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_NotesAPassThatFails_AndGoesOn()
    {
        var exclude = new ExclusionRules(Names: ["."]);
        var report = new VariantSearch { Space = [new BlockwiseRtn(2) { Exclude = exclude }, new BlockwiseRtn(8)], Goal = new(SearchObjective.Closest) }.Run(model.Onnx, model.New(), model.Rows, ct: Ct);

        Assert.Equal("8-bit block 32, head 8", report.Best);
        Assert.Contains(report.Candidates, c => c.Note.StartsWith("failed: ", StringComparison.Ordinal) && c.Folder is null);
    }

    [Fact]
    public void Run_MeasuresSpeedInFreshProcesses_WhenAsked()
    {
        var search = new VariantSearch { Space = [new BlockwiseRtn(2), new DynamicInt8()], MaxCandidates = 1, Goal = new(SearchObjective.FastestPrefill), Speed = new("", Repeats: 1, PromptTokens: 8, NewTokens: 4, Program: typeof(ProbeTests).Assembly.Location) };

        var report = search.Run(model.Onnx, model.New(), model.Rows.Take(2).ToList(), ct: Ct);

        Assert.Equal("dynamic int8", report.Best);
        Assert.Equal(["source", "dynamic int8"], report.Candidates.Take(2).Select(c => c.Name)); // tried first: no other has a faster prefill
        Assert.All(report.Candidates.Take(2), c => Assert.True(c.Speed!.DecodeTokensPerSecond[0] > 0 && c.Speed.PrefillTokensPerSecond[0] > 0));
    }

    [Fact]
    public void Run_GivesItsTokensToThePassesThatCalibrate()
    {
        var search = new VariantSearch { Space = [new CalibratedBlockwise { Gptq = false }, new DynamicInt8 { Smoothing = 0.5 }, new StaticQdq()], Calibration = model.Calibration, Goal = new(SearchObjective.Closest) };

        var report = search.Run(model.Onnx, model.New(), model.Rows.Take(4).ToList(), ct: Ct);

        Assert.Equal(["source", "dynamic int8, smoothed 0.5", "static int8, MinMax", "AWQ 4-bit block 32, head 8"], report.Candidates.Select(c => c.Name).OrderBy(n => n == "source" ? 0 : n[0] == 'd' ? 1 : n[0] == 's' ? 2 : 3));
        Assert.All(report.Candidates.Skip(1), c => Assert.NotNull(c.Quantization!.CalibrationSha256));
    }

    [Fact]
    public void DefaultSpace_HasNothingThatNeedsTokens_UnlessTheyAreThere()
    {
        Assert.DoesNotContain(VariantSearch.DefaultSpace(calibrated: false), p => p is CalibratedBlockwise or DynamicInt8 { Smoothing: > 0 });
        Assert.Contains(VariantSearch.DefaultSpace(calibrated: true), p => p is CalibratedBlockwise);
        Assert.Equal(VariantSearch.DefaultSpace(calibrated: true).Count, VariantSearch.DefaultSpace(calibrated: true).Distinct().Count());
    }

    [Fact]
    public void Run_RefusesAGoalThatItCannotJudge()
    {
        var error = Assert.Throws<ArgumentException>(() => new VariantSearch { Goal = new(SearchObjective.FastestPrefill) }.Run(model.Onnx, model.New(), model.Rows, ct: Ct));

        Assert.Contains("FastestPrefill needs Speed", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new VariantSearch { Space = [] }.Run(model.Onnx, model.New(), model.Rows, ct: Ct));
    }

    [Fact]
    public void Judge_TrustsTheUnfavourableEndOfAnInterval()
    {
        static ComparisonReport Report(double low, double high) =>
            new(1, 1, new(0, 0, 0, 1), 0, 0, new(0.98, 0.97, 0.99, 1), 0, 0, new(2, 2, 2, 1), new(2, 2, 2, 1), new((low + high) / 2, low, high, 1), 1, 1, 100, 50);
        var goal = new SearchGoal(MaxIncrease: 0.01); // of 2 bits per byte: 0.02

        Assert.Equal(GoalVerdict.Met, goal.Judge(Report(-0.01, 0.02)));
        Assert.Equal(GoalVerdict.Undecided, goal.Judge(Report(0.01, 0.03)));
        Assert.Equal(GoalVerdict.Missed, goal.Judge(Report(0.03, 0.04)));
        Assert.Equal([GoalVerdict.Met, GoalVerdict.Undecided, GoalVerdict.Missed], new[] { 0.96, 0.98, 0.995 }.Select(same => new SearchGoal(MinSameTop: same).Judge(Report(0, 0))));
        Assert.Equal(GoalVerdict.Missed, (goal with { MaxBytes = 49 }).Judge(Report(0, 0.01)));
        Assert.Equal("smallest with at most 1 % more bits per byte, same most likely token in at least 98 %", (goal with { MinSameTop = 0.98 }).ToString());
    }
}

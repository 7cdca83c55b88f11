using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.TestKit;
using LlmOps.Worker;
using LlmOps.Worker.Handlers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Web.Tests.Suites;

/// <summary>Judges that agree with people, that do not, and one that is killed in the middle; the labels are a real dataset's held-out rows.</summary>
public abstract class CalibrateJudgeTests(DatabaseProvider provider) : IAsyncLifetime
{
    private TestProduct product = null!;

    public async ValueTask InitializeAsync()
    {
        product = await TestProduct.CreateAsync(provider);
        await product.DatasetAsync("labels", DatasetKind.Preference, TestProduct.PreferenceRows(400));
    }

    public async ValueTask DisposeAsync()
    {
        await product.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private async Task<CalibrationReport> CalibrateAsync(string address, string mode = "pairwise", int rows = 0, Action? beforeSecondAttempt = null)
    {
        var judge = (await product.Get<SaveJudge>().SaveAsync($"name: critic\nkind: openai\nendpoint: {address}\nmodel: any\nmode: {mode}\ncriteria: usefulness\nretries: 0\nconcurrency: 1\n", product.Alice)).Key;
        await product.Get<StartCalibration>().StartAsync(new() { Judge = judge, Preferences = "labels/1", MaxRows = rows }, product.Alice);
        var job = await product.ClaimAsync();
        Task RunAsync() => new CalibrateJudgeHandler(new DatasetFiles(product.Artifacts), product.Artifacts, product.Get<Hints>(), WorkerSettings.From(new ConfigurationBuilder().Build())).RunAsync(product.Context(job), TestContext.Current.CancellationToken);
        if (beforeSecondAttempt is not null)
        {
            await Assert.ThrowsAsync<LlmOpsException>(RunAsync);
            beforeSecondAttempt();
        }
        await RunAsync();
        Assert.Equal(JobState.Succeeded, await product.ReadAsync(db => db.Jobs.Where(j => j.Id == job.Id).Select(j => j.State).SingleAsync()));
        return (await product.Get<ReadJudges>().GetAsync("critic")).Calibrations[0].Report;
    }

    /// <summary>People chose "A living thing.".</summary>
    private static string Right(JudgeCall call) => $$"""{"verdict": "{{(call.Part("Answer A") == "A living thing." ? "A" : "B")}}"}""";

    [Fact]
    public async Task AJudgeThatSeesWhatPeopleSaw_AgreesWithThem()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync(Right);
        var report = await CalibrateAsync(endpoint.Address);
        Assert.True(report.Positives > 3 && report.Negatives > 3, "Both answers stand in the model's place.");
        Assert.Equal((1.0, 1.0, 1.0, 0), (report.Sensitivity, report.Specificity, report.Kappa.Value!.Value, report.Missing));
        var row = Assert.Single(await product.Get<ReadJudges>().ListAsync());
        Assert.Equal(("critic/1", "labels/1"), (row.Key, row.Calibration!.Dataset));
    }

    [Fact]
    public async Task AJudgeThatPrefersTheFirst_AgreesWithNobody()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync(_ => """{"verdict": "A"}""");
        var report = await CalibrateAsync(endpoint.Address);
        Assert.Equal(report.Rows, report.Ties);
        Assert.Equal((0.0, 0.0, 0.0), (report.Sensitivity, report.Specificity, report.Kappa.Observed));
        Assert.True(report.Conduct.IsPlaceBiased);
    }

    [Fact]
    public async Task Grades_AreCalibratedAtTheirThreshold()
    {
        // Sees every good answer, and takes every third bad one for good.
        var bad = 0;
        await using var endpoint = await JudgeEndpoint.StartAsync(call => $$"""{"score": {{(call.Part("Answer") == "A living thing." ? 5 : bad++ % 3 == 0 ? 4 : 1)}}}""");
        var report = await CalibrateAsync(endpoint.Address, "score", 30);
        Assert.Equal((60, 3.0, 30, 30, 20), (report.Rows, report.AtLeast!.Value, report.TruePositives, report.Positives, report.TrueNegatives));
        // Of 100 answers it takes 60 for good. It takes 1/3 of the bad ones for good, so p + (1 − p)/3 = 0.6 and p = 0.4.
        var corrected = report.Correct(new() { Name = "t.acceptable", Unit = "share", Value = 0.6, N = 100 }, "acceptable", 3)!;
        Assert.Equal(0.4, corrected.Value, 6);
        Assert.True(corrected.Low < 0.4 && corrected.High > 0.4);
        Assert.Null(report.Correct(new() { Name = "t.acceptable", Unit = "share", Value = 0.6, N = 100 }, "acceptable", 4));
    }

    [Fact]
    public async Task WhatWasAnswered_IsNotPaidTwice()
    {
        var broken = true;
        await using var endpoint = await JudgeEndpoint.StartAsync((call, context) =>
        {
            // Only answers that people did not choose in the first attempt: too little to calibrate on, so that attempt fails.
            if (broken && (call.Part("Answer") == "A living thing."))
                context.Response.StatusCode = 400;
            return context.Response.StatusCode == 400 ? Task.CompletedTask
                : Microsoft.AspNetCore.Http.HttpResponseJsonExtensions.WriteAsJsonAsync(context.Response, new { choices = new[] { new { message = new { content = """{"score": 2}""" } } } });
        });
        var after = 0;
        var report = await CalibrateAsync(endpoint.Address, "score", 10, () => (broken, after) = (false, endpoint.Calls.Count));
        Assert.Equal((20, 0), (report.Rows, report.Missing));
        Assert.Equal((20, 10), (after, endpoint.Calls.Count - after));
    }

    [Fact]
    public async Task WhatIsNoPreference_IsRefusedAtOnce()
    {
        var judge = (await product.Get<SaveJudge>().SaveAsync("name: critic\nkind: openai\nendpoint: http://127.0.0.1:9/v1\nmodel: any\ncriteria: c\n", product.Alice)).Key;
        await product.DatasetAsync("corpus", DatasetKind.Corpus, string.Join('\n', Enumerable.Range(0, 40).Select(i => $$"""{"text": "a word number {{i}}", "headword": "w{{i}}"}""")));
        var refused = await Assert.ThrowsAsync<LlmOpsException>(() => product.Get<StartCalibration>().StartAsync(new() { Judge = judge, Preferences = "corpus/1" }, product.Alice));
        Assert.Contains("calibrated on preferences", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<LlmOpsException>(() => product.Get<StartCalibration>().StartAsync(new() { Judge = judge, Preferences = "labels/1" }, product.Victor));
    }
}

public sealed class CalibrateJudgeOnSqlite() : CalibrateJudgeTests(DatabaseProvider.Sqlite);

public sealed class CalibrateJudgeOnPostgres() : CalibrateJudgeTests(DatabaseProvider.Postgres);

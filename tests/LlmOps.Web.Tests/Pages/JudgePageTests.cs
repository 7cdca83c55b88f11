using Bunit;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Jobs;
using LlmOps.TestKit;
using LlmOps.Web.Components.Pages.Evaluations;
using LlmOps.Web.Components.Pages.Judges;
using Microsoft.AspNetCore.Components;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Pages;

public sealed class JudgePageTests : OperationPages
{
    private const string Yaml = "name: critic\nkind: openai\nendpoint: http://127.0.0.1:9/v1\nmodel: any\ncriteria: short\nsamples: 3\ntemperature: 1\n";

    /// <summary>A judge that always prefers what it reads first: 40 rows, each asked in both orders.</summary>
    private static List<JudgeTrace> ByPlace() => [.. Enumerable.Range(0, 40).Select(_ => new JudgeTrace("critic/1", [new(false, 1, 10, 1, ""), new(true, 0, 10, 1, "")], 5, 5))];

    private async Task CalibrateAsync(JudgeDocument judge)
    {
        var rows = ByPlace().Select((t, i) => new CalibrationRow($"{i}", i < 20, t)).ToList();
        var id = await Product.ReadAsync(db => db.Judges.Select(j => j.Id).SingleAsync());
        await Product.WriteAsync(db => db.JudgeCalibrations.Add(new JudgeCalibration { JudgeId = id, Dataset = "facts/1", ReportJson = Json.Write(CalibrationReport.Of(rows, judge, null)), CreatedBy = "alice", At = Product.Clock.GetUtcNow() }));
    }

    private async Task<Guid> JudgedRunAsync(JudgeDocument judge)
    {
        await Product.Get<SaveSuite>().SaveAsync("name: judged\ntasks:\n  - { name: help, kind: judge-pairwise, judge: critic/1, prompt: '{{ q }}', baseline: '{{ a }}', metrics: [win_rate], rows: [{ q: dog, a: animal }] }\n", Product.Alice);
        var suite = await Product.ReadAsync(db => db.SuiteVersions.SingleAsync());
        var tasks = SuiteDocument.Parse(suite.Yaml).Measures;
        var run = new EvaluationRun
        {
            SuiteId = suite.SuiteId, SuiteVersionId = suite.Id, VersionId = Lived.Candidate.Id, VariantName = "int8", State = JobState.Succeeded, JobId = Guid.NewGuid(), StartedAt = Product.Clock.GetUtcNow(), EndedAt = Product.Clock.GetUtcNow(),
            CreatedBy = "alice", DatasetsJson = "{}", TasksJson = Json.Write(tasks), DetailJson = Json.Write(new { judges = new Dictionary<string, JudgeConduct> { ["help"] = JudgeConduct.Of(ByPlace(), judge)! } }),
        };
        var rows = Enumerable.Range(0, 40).Select(i => new RowScore { EvaluationRunId = run.Id, Task = "help.win_rate", RowKey = $"{i:D3}", Value = 0.5, Prompt = "dog" }).ToList();
        await Product.WriteAsync(db =>
        {
            db.Add(run);
            db.RowScores.AddRange(rows);
            db.EvaluationMetrics.AddRange(SummariseRows.Summarise(run.Id, rows, 200, tasks));
        });
        return run.Id;
    }

    [Fact]
    public async Task ANewJudge_IsCheckedWhileItIsWritten_AndSaved()
    {
        var page = Open<NewJudge>(Product.Alice, "/judges/-/new");
        page.Find("textarea").Input(Yaml + "critera: typo\n");
        Assert.Contains("critera (line 8)", page.Find(".problems").TextContent, StringComparison.Ordinal);
        Assert.True(Button(page, "Save judge").HasAttribute("disabled"));
        page.Find("textarea").Input(Yaml);
        Button(page, "Save judge").Click();
        page.WaitForAssertion(() => Assert.EndsWith("/judges/critic?number=1", Services.GetRequiredService<NavigationManager>().Uri, StringComparison.Ordinal));
        Assert.Equal("alice", await Product.ReadAsync(db => db.Judges.Select(j => j.CreatedBy).SingleAsync()));
        Assert.True(Button(Open<NewJudge>(Product.Victor, "/judges/-/new"), "Save judge").HasAttribute("disabled"));
    }

    [Fact]
    public async Task AScore_SaysOnEveryPage_WhetherItsJudgeIsCalibrated_AndThatThePlaceMovesIt()
    {
        await Product.Get<SaveJudge>().SaveAsync(Yaml, Product.Alice);
        var judge = JudgeDocument.Parse(Yaml);
        var (run, other) = (await JudgedRunAsync(judge), await JudgedRunAsync(judge));
        var list = Open<JudgeList>(Product.Victor, "/judges");
        list.WaitForAssertion(() => Assert.Contains("not calibrated", list.Markup, StringComparison.Ordinal));
        var page = Open<EvaluationPage>(Product.Victor, $"/evaluations/{run}?tab=judges", p => p.Add(x => x.Id, run));
        page.WaitForAssertion(() => Assert.Contains("critic/1 is not calibrated", page.Find("[data-judge]").TextContent, StringComparison.Ordinal));
        Assert.Contains("so the place moves its verdicts", page.Markup, StringComparison.Ordinal);
        var compared = Open<CompareEvaluations>(Product.Victor, $"/evaluations/compare?a={run}&b={other}");
        compared.WaitForAssertion(() => Assert.Contains("critic/1 is not calibrated", compared.Find("[data-judge]").TextContent, StringComparison.Ordinal));

        await CalibrateAsync(judge);
        // Every verdict is a tie: it agrees with nobody, and calibrated is not the same as good.
        var after = Open<EvaluationPage>(Product.Victor, $"/evaluations/{run}", p => p.Add(x => x.Id, run));
        after.WaitForAssertion(() => Assert.Contains("is calibrated on 40 rows of facts/1", after.Find("[data-judge]").TextContent, StringComparison.Ordinal));
        var report = Open<JudgePage>(Product.Victor, "/judges/critic", p => p.Add(x => x.Name, "critic"));
        report.WaitForAssertion(() => Assert.Contains("Says yes where people did (sensitivity)", report.Markup, StringComparison.Ordinal));
        Assert.Contains("judged/1", report.Markup, StringComparison.Ordinal);
        Assert.DoesNotContain("This version is not calibrated", report.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ACalibration_IsQueuedFromThePage()
    {
        await Product.Get<SaveJudge>().SaveAsync(Yaml, Product.Alice);
        await Product.DatasetAsync("labels", DatasetKind.Preference, TestProduct.PreferenceRows(10));
        var page = Open<JudgePage>(Product.Alice, "/judges/critic", p => p.Add(x => x.Name, "critic"));
        page.WaitForElement("h1");
        Assert.True(Button(page, "Calibrate").HasAttribute("disabled"));
        page.Find("input[list]").Input("labels/1");
        Button(page, "Calibrate").Click();
        page.WaitForAssertion(() => Assert.Contains("Queued", page.Markup, StringComparison.Ordinal));
        var job = await Product.ReadAsync(db => db.Jobs.SingleAsync(j => j.Kind == "calibrate-judge"));
        Assert.Contains("labels/1", job.SpecJson, StringComparison.Ordinal);
    }
}

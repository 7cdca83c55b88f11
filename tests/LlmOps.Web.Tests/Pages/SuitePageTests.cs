using Bunit;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Web.Components.Pages.Evaluations;
using LlmOps.Web.Components.Pages.Suites;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Pages;

public sealed class SuitePageTests : OperationPages
{
    private const string Yaml = """
        name: mixed
        tasks:
          - name: write
            kind: generation
            prompt: "{{ q }}"
            target: "{{ a }}"
            metrics: [exact_match]
            margins: { exact_match: 0.1 }
            rows: [{ q: dog, a: animal }]
          - name: safe
            kind: safety
            prompt: "{{ q }}"
            metrics: [secrets]
            rows: [{ q: dog }]
          - name: speed
            kind: latency
            prompt: "{{ q }}"
            metrics: [latency]
            rows: [{ q: dog }]
        """;

    /// <summary>Two repeats of the candidate and one run of the champion, on another machine.</summary>
    private async Task<List<EvaluationRun>> RunsAsync()
    {
        await Product.Get<SaveSuite>().SaveAsync(Yaml, Product.Alice);
        var suite = await Product.ReadAsync(db => db.SuiteVersions.SingleAsync());
        var document = SuiteDocument.Parse(Yaml);
        EvaluationRun Run(Guid version, string variant, int repeat, Guid job, string machine) => new()
        {
            SuiteId = suite.SuiteId, SuiteVersionId = suite.Id, VersionId = version, VariantName = variant, Repeat = repeat, State = JobState.Succeeded, JobId = job, StartedAt = Product.Clock.GetUtcNow(), EndedAt = Product.Clock.GetUtcNow(),
            CreatedBy = "alice", DatasetsJson = "{}", TasksJson = Json.Write(document.Measures), DetailJson = RunFacts.WithMachine("""{"findings":{"safe":{"github-token":2,"email":1}}}""", ["speed"], machine),
        };
        var job = Guid.NewGuid();
        List<EvaluationRun> runs = [Run(Lived.Candidate.Id, "int8", 0, job, "a server"), Run(Lived.Candidate.Id, "int8", 1, job, "a server"), Run(Lived.Champion.Id, "int8", 0, Guid.NewGuid(), "a laptop")];
        int[] right = [20, 26, 22];
        await Product.WriteAsync(db =>
        {
            db.AddRange(runs);
            foreach (var (i, run) in runs.Index())
                for (var row = 0; row < 40; row++)
                {
                    db.RowScores.Add(new RowScore { EvaluationRunId = run.Id, Task = "write.exact_match", RowKey = $"{row:D3}", Value = (row + 7 * i) % 40 < right[i] ? 1 : 0, Prompt = $"prompt {row}" });
                    db.RowScores.Add(new RowScore { EvaluationRunId = run.Id, Task = "safe.secrets", RowKey = $"{row:D3}", Value = row == 0 ? 2 : 0, Prompt = "p", Answer = "[github-token hidden, 40 characters]", DetailJson = """{"refused":false,"phrase":null,"findings":{"github-token":2}}""" });
                    db.RowScores.Add(new RowScore { EvaluationRunId = run.Id, Task = "speed.latency", RowKey = $"{row:D3}", Value = 100 + row, Prompt = "p" });
                }
        });
        foreach (var run in runs)
            await Product.WriteAsync(db => db.EvaluationMetrics.AddRange(SummariseRows.Summarise(run.Id, db.RowScores.Where(r => r.EvaluationRunId == run.Id).ToList(), 200, document.Measures)));
        return runs;
    }

    [Fact]
    public async Task TheNoiseFloor_IsOnTheSuitesPage_AndOnTheRuns()
    {
        var runs = await RunsAsync();
        var suite = Open<SuitePage>(Product.Victor, "/suites/mixed?tab=noise", p => p.Add(x => x.Name, "mixed"));
        // 50 % and 65 %: two repeats, so the floor is 12.7 times the difference.
        suite.WaitForAssertion(() => Assert.Contains("191 points", suite.Find(".noise-table").TextContent, StringComparison.Ordinal));
        Assert.Contains("2 repeats of tiny-lm/2 int8", suite.Markup, StringComparison.Ordinal);
        var page = Open<EvaluationPage>(Product.Victor, $"/evaluations/{runs[1].Id}?tab=noise", p => p.Add(x => x.Id, runs[1].Id));
        page.WaitForAssertion(() => Assert.Contains("none: the repeats agree", page.Find(".noise-table").TextContent, StringComparison.Ordinal));
        Assert.Contains("2 of 2", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARun_SaysWhatDetectorsFound_AndOnWhichMachineItWas()
    {
        var runs = await RunsAsync();
        var page = Open<EvaluationPage>(Product.Victor, $"/evaluations/{runs[0].Id}?tab=findings", p => p.Add(x => x.Id, runs[0].Id));
        page.WaitForAssertion(() => Assert.Equal(["github-token2", "email1"], page.FindAll(".findings-table tbody tr").Select(r => r.TextContent.Trim())));
        Assert.Equal("a server", page.Find("[data-machine]").TextContent);
        var rows = Open<EvaluationPage>(Product.Victor, $"/evaluations/{runs[0].Id}?tab=rows&task=safe.secrets", p => p.Add(x => x.Id, runs[0].Id));
        rows.WaitForAssertion(() => Assert.Contains("github-token × 2", rows.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public async Task AComparison_NamesWhatIsNoise_AndWhatTwoMachinesMeasured()
    {
        var runs = await RunsAsync();
        var page = Open<CompareEvaluations>(Product.Victor, $"/evaluations/compare?a={runs[2].Id}&b={runs[0].Id}");
        page.WaitForAssertion(() => Assert.Contains("write: exact match: −5 points", page.Find("section[data-noise]").TextContent, StringComparison.Ordinal));
        Assert.Contains("speed: latency – measured on different machines (a laptop; a server)", page.Find("[data-incomparable]").TextContent, StringComparison.Ordinal);
        Assert.Contains("No difference between", page.Find(".verdict").TextContent, StringComparison.Ordinal);
        Assert.Contains("not compared, see above", page.Find(".compare-table").TextContent, StringComparison.Ordinal);
        var unknown = Open<CompareEvaluations>(Product.Victor, $"/evaluations/compare?a={Lived.ChampionEvaluation}&b={Lived.CandidateEvaluation}");
        unknown.WaitForAssertion(() => Assert.Contains("The noise floor of this suite is not known", unknown.Find("[data-noise]").TextContent, StringComparison.Ordinal));
    }

    [Fact]
    public async Task TheDialog_ShowsWhichDifferenceARunWouldShow_BeforeItIsStarted_AndStartsItsRepeats()
    {
        await RunsAsync();
        var page = Open<SuitePage>(Product.Alice, "/suites/mixed", p => p.Add(x => x.Name, "mixed"));
        page.WaitForElement("h1");
        Button(page, "Evaluate").Click();
        page.WaitForAssertion(() => Assert.Contains("the margin 0.1 needs", page.Find(".evaluation-plan").TextContent, StringComparison.Ordinal));
        await page.Find("dialog input[placeholder='name/number']").InputAsync("tiny-lm/2");
        await page.Find("dialog input[type=number]").ChangeAsync(3);
        await page.FindAll("dialog button").Single(b => b.TextContent.Trim() == "Evaluate").ClickAsync(new());
        page.WaitForAssertion(() => Assert.EndsWith("/evaluations?suite=mixed", Services.GetRequiredService<Microsoft.AspNetCore.Components.NavigationManager>().Uri, StringComparison.Ordinal));
        var spec = await Product.ReadAsync(db => db.Jobs.Where(j => j.Kind == "evaluate-suite").Select(j => j.SpecJson).SingleAsync());
        Assert.Contains("\\\"repeats\\\":3", spec, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheEditor_AddsATaskOfAKind_ThatCanBeSavedAsItIs()
    {
        var page = Open<SuiteEditor>(Product.Alice, "/suites/-/new");
        await page.WaitForElement("select").ChangeAsync("latency");
        page.WaitForAssertion(() => Assert.Contains("kind: latency", page.Find("textarea").GetAttribute("value"), StringComparison.Ordinal));
        Button(page, "Save suite").Click();
        page.WaitForAssertion(() => Assert.EndsWith("/suites/capitals?number=1", Services.GetRequiredService<Microsoft.AspNetCore.Components.NavigationManager>().Uri, StringComparison.Ordinal));
        Assert.Equal(["multiple-choice", "latency"], (await Product.Get<ReadSuites>().GetAsync("capitals")).Document.Tasks.Select(t => t.Kind));
    }
}

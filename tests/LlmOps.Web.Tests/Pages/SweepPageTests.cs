using System.Text.Json;
using Bunit;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Sweeps.Search;
using LlmOps.Web.Components.Pages.Pipelines;
using LlmOps.Web.Components.Pages.Sweeps;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Pages;

public sealed class SweepPageTests : OperationPages
{
    private const string Pipeline = """
        name: tuned
        stages:
          - name: data
            kind: import-data
            with: { source: data, name: facts }
          - name: tokenizer
            kind: train-tokenizer
            with: { corpus: "${data.corpus}" }
          - name: pretrain
            kind: pretrain
            with: { corpus: "${data.corpus}", tokenizer: "${tokenizer.tokenizer}", model: tiny-lm, learning_rate: 0.003 }
        """;

    private string Address => Services.GetRequiredService<NavigationManager>().Uri;

    private Task PipelineAsync() => Product.Get<StartPipeline>().DefineAsync(Pipeline, "", Product.Alice);

    /// <summary>A sweep with that many trials that ended: rate 0.001, 0.002, … and the result ten times that; every tenth failed.</summary>
    private async Task SweepAsync(int trials)
    {
        await PipelineAsync();
        var started = await Product.Get<StartSweep>().StartAsync("name: rates\npipeline: tuned\nstage: pretrain\nmetric: loss\nmax_trials: 1000\nspace: {learning_rate: {log: [0.0005, 0.9]}, optimizer: [adamw, sgd]}", Product.Alice);
        await using var db = Product.Open();
        var run = await db.SweepTrials.Select(t => t.PipelineRunId).SingleAsync();
        await db.SweepTrials.ExecuteDeleteAsync();
        db.SweepTrials.AddRange(Enumerable.Range(1, trials).Select(i => new SweepTrial
        {
            SweepId = started.Id, Number = i, ParametersJson = FormattableString.Invariant($$"""{"learning_rate":{{i * 0.001}},"optimizer":"{{(i % 2 == 0 ? "sgd" : "adamw")}}"}"""), PipelineRunId = run,
            State = i % 10 == 0 ? TrialState.Failed : TrialState.Succeeded, Value = i % 10 == 0 ? null : i * 0.01, Error = i % 10 == 0 ? "pretrain: The loss is not a number." : null,
            CreatedAt = Product.Clock.GetUtcNow(), EndedAt = Product.Clock.GetUtcNow().AddSeconds(3),
        }));
        await db.SaveChangesAsync();
    }

    private IRenderedComponent<SweepPage> Open() => Open<SweepPage>(Product.Alice, "/sweeps/rates", p => p.Add(x => x.Name, "rates"));

    [Fact]
    public async Task EmptyList_SaysWhatASweepIs_AndAFullOneShowsTheBest()
    {
        await PipelineAsync();
        var empty = Open<SweepList>(Product.Alice, "/sweeps");
        empty.WaitForAssertion(() => Assert.Contains("No sweeps yet", empty.Markup, StringComparison.Ordinal));
        await SweepAsync(20);
        var page = Open<SweepList>(Product.Alice, "/sweeps");
        page.WaitForAssertion(() => Assert.Equal("/sweeps/rates", page.Find("[data-row-link]").GetAttribute("href")));
        Assert.Contains("20 of 1\u2009000", page.Markup, StringComparison.Ordinal);
        Assert.Contains("0.0100", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Form_CountsTheRuns_SaysWhatIsWrong_AndStarts()
    {
        await PipelineAsync();
        var page = Open<NewSweep>(Product.Alice, "/sweeps/-/new?pipeline=tuned");
        page.WaitForElement(".sweep-fields");
        Assert.Contains("12 runs of pretrain", page.Find(".sweep-answer").TextContent, StringComparison.Ordinal);
        Assert.Contains("learning_rate: {log: [3e-4, 0.03]}", page.Find(".sweep-answer pre").TextContent, StringComparison.Ordinal);
        Assert.Contains("Once for all: ", page.Markup, StringComparison.Ordinal);
        page.Find("[aria-label='Highest learning_rate']").Change("50");
        Assert.Contains("50 is outside 1E-08 … 10", page.Find(".problems").TextContent, StringComparison.Ordinal);
        Assert.True(Button(page, "Start the sweep").HasAttribute("disabled"));
        page.Find("[aria-label='Highest learning_rate']").Change("0.01");
        page.FindAll("select").Single(s => s.InnerHtml.Contains("value=\"tpe\"", StringComparison.Ordinal)).Change("grid");
        Assert.Contains("5 runs of pretrain", page.Find(".sweep-answer").TextContent, StringComparison.Ordinal);
        Button(page, "Start the sweep").Click();
        page.WaitForAssertion(() => Assert.EndsWith("/sweeps/tuned-pretrain", Address, StringComparison.Ordinal));
        var sweep = await Product.ReadAsync(db => db.Sweeps.SingleAsync());
        Assert.Equal(("alice", "grid", "held_out_loss"), (sweep.CreatedBy, sweep.Method, sweep.Metric));
        Assert.True(Button(Open<NewSweep>(Product.Victor, "/sweeps/-/new?pipeline=tuned"), "Start the sweep").HasAttribute("disabled"));
    }

    private static AngleSharp.Dom.IElement Fixed(IRenderedComponent<NewSweep> page, string field) => page.FindAll(".sweep-fixed .parameter").Single(p => p.QuerySelector($"[id$='-{field}']") is not null);

    [Fact]
    public async Task Form_ChangesWhatIsTheSameInEveryTrial_AndSaysWhatIsWrongBesideItsField()
    {
        await PipelineAsync();
        var page = Open<NewSweep>(Product.Alice, "/sweeps/-/new?pipeline=tuned");
        page.WaitForElement(".sweep-fixed");
        // What varies is not the same in every trial; nothing has been changed yet.
        Assert.DoesNotContain(page.FindAll(".sweep-fixed [id]"), e => e.Id!.EndsWith("-learning_rate", StringComparison.Ordinal));
        Assert.DoesNotContain("with:", page.Find(".sweep-answer pre").TextContent, StringComparison.Ordinal);
        Assert.Equal("tiny-lm", Fixed(page, "model").QuerySelector("input")!.GetAttribute("value"));

        Fixed(page, "epochs").QuerySelector("input")!.Change("0");
        Assert.Equal("Epochs", Assert.Single(page.FindAll(".has-error")).QuerySelector("label")!.TextContent.Trim());
        Assert.Contains("with.epochs", page.Find(".problems").TextContent, StringComparison.Ordinal);
        Assert.True(Button(page, "Start the sweep").HasAttribute("disabled"));
        Fixed(page, "epochs").QuerySelector("input")!.Change("20");
        Assert.Empty(page.FindAll(".has-error, .field-error"));

        var trials = page.FindAll("label.field").Single(l => l.TextContent.Trim().StartsWith("Most trials", StringComparison.Ordinal));
        trials.QuerySelector("input")!.Change("0");
        Assert.Equal("'0' is no whole number of 1 to 10000.", page.FindAll("label.field").Single(l => l.TextContent.Trim().StartsWith("Most trials", StringComparison.Ordinal)).QuerySelector(".field-error")!.TextContent);
        page.FindAll("label.field").Single(l => l.TextContent.Trim().StartsWith("Most trials", StringComparison.Ordinal)).QuerySelector("input")!.Change("2");
        page.Find("[aria-label='Highest learning_rate']").Change("50");
        Assert.Contains("50 is outside", page.Find(".sweep-fields .field-error").TextContent, StringComparison.Ordinal);
        page.Find("[aria-label='Highest learning_rate']").Change("0.01");

        Assert.Contains("with: {epochs: 20}", page.Find(".sweep-answer pre").TextContent, StringComparison.Ordinal);
        Button(page, "Start the sweep").Click();
        page.WaitForAssertion(() => Assert.EndsWith("/sweeps/tuned-pretrain", Address, StringComparison.Ordinal));
        var sweep = await Product.ReadAsync(db => db.Sweeps.SingleAsync());
        Assert.Equal("20", PipelineDocument.Parse(sweep.PipelineYaml).Stages[2].Parameters["epochs"]!.ToString());
        var next = Open<NewSweep>(Product.Alice, "/sweeps/-/new?from=tuned-pretrain");
        next.WaitForElement(".sweep-fixed");
        Assert.Contains("with: {epochs: 20}", next.Find(".sweep-answer pre").TextContent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PipelinesOfSweeps_AreListed_OnlyWhenTheyAreAskedFor()
    {
        await SweepAsync(1);
        foreach (var (address, ofSweeps, written) in new[] { ("/pipelines", false, true), ("/pipelines?origin=sweep", true, false), ("/pipelines?origin=any", true, true) })
        {
            var page = Open<PipelineList>(Product.Alice, address);
            page.WaitForElement("[data-row-link]");
            var links = page.FindAll("[data-row-link]").Select(a => a.GetAttribute("href")).ToList();
            Assert.Equal((ofSweeps, written), (links.Contains("/pipelines/sweep-rates"), links.Contains("/pipelines/tuned")));
        }
        var sweep = Open();
        sweep.WaitForElement("[data-row-link]");
        var run = await Product.ReadAsync(db => db.SweepTrials.Select(t => t.PipelineRunId).SingleAsync());
        Assert.Contains(sweep.FindAll("a"), a => a.GetAttribute("href") == $"/pipeline-runs/{run}");
    }

    [Fact]
    public async Task Form_BeginsWithTheSettingsOfAnotherSweep_AndMakesTheSameDocument()
    {
        await SweepAsync(1);
        var page = Open<NewSweep>(Product.Alice, "/sweeps/-/new?from=rates");
        page.WaitForElement(".sweep-fields");
        var made = SweepDocument.Parse(page.Find(".sweep-answer pre").TextContent, PipelineDocument.Parse(Pipeline));
        var before = await Product.Get<ReadSweeps>().GetAsync("rates");
        Assert.Equal("rates-2", made.Name);
        Assert.Equal(Json.Write(before.Plan), Json.Write(made.Plan));
    }

    [Fact]
    public async Task Sweep_ShowsItsBestTrial_ItsLines_AndWhatMatters()
    {
        await SweepAsync(40);
        var page = Open();
        page.WaitForElement("table");
        Assert.Contains("Trial 1:", page.Markup, StringComparison.Ordinal);
        var option = JsonSerializer.SerializeToElement(page.FindComponent<EChart>().Instance.Option);
        Assert.Equal(["learning_rate", "optimizer", "loss"], option.GetProperty("parallelAxis").EnumerateArray().Select(a => a.GetProperty("name").GetString()!));
        Assert.Equal(["log", "category", "value"], option.GetProperty("parallelAxis").EnumerateArray().Select(a => a.GetProperty("type").GetString()!));
        Assert.Equal(36, option.GetProperty("series")[0].GetProperty("data").GetArrayLength());
        Assert.Contains("Smaller values were better.", page.Markup, StringComparison.Ordinal);
        Assert.Contains("4 failed", page.Markup, StringComparison.Ordinal);
        Assert.Contains("pretrain: The loss is not a number.", page.Markup, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(500)]
    public async Task Sweep_IsShown_WithAnyNumberOfTrials(int trials)
    {
        await SweepAsync(trials);
        var page = Open();
        page.WaitForAssertion(() => Assert.Contains("Which parameter matters?", page.Markup, StringComparison.Ordinal));
        Assert.Equal(trials == 0 ? 0 : 1, page.FindComponents<EChart>().Count);
        Assert.Contains(trials == 0 ? "no trial succeeded yet" : "trial 1", page.Markup, StringComparison.Ordinal);
        Assert.Contains(trials < 6 ? $"Cannot tell: {trials} of at least 6 trials." : "Smaller values were better.", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_EndsTheSweep_AndOnlyThoseWhoMayCanDoIt()
    {
        await SweepAsync(3);
        var looking = Open<SweepPage>(Product.Victor, "/sweeps/rates", p => p.Add(x => x.Name, "rates"));
        looking.WaitForElement(".page-actions");
        Assert.True(Button(looking, "Stop").HasAttribute("disabled"));
        var page = Open();
        page.WaitForElement(".page-actions");
        Button(page, "Stop").Click();
        page.WaitForAssertion(() => Assert.Contains("data-state=\"Stopped\"", page.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public async Task TheBestParameters_AreFilledIntoThePipelinesForm_AndNotSaved()
    {
        await SweepAsync(5);
        var page = Open();
        page.WaitForElement(".page-actions");
        var link = page.FindAll("a").Single(a => a.TextContent == "Use the best parameters").GetAttribute("href")!;
        var form = Open<PipelinePage>(Product.Alice, link, p => p.Add(x => x.Name, "tuned"));
        form.WaitForElement(".editor");
        Assert.False(Button(form, "Save").HasAttribute("disabled"));
        Assert.Equal("0.001", form.FindAll("input").Single(i => i.Id?.EndsWith("learning_rate", StringComparison.Ordinal) == true).GetAttribute("value"));
        Assert.Equal(Pipeline, (await Product.Get<ReadPipelines>().GetAsync("tuned")).Yaml);
        Button(form, "Save").Click();
        var saved = PipelineDocument.Parse((await Product.Get<ReadPipelines>().GetAsync("tuned")).Yaml);
        Assert.Equal("0.001", saved.Stages[2].Parameters["learning_rate"]!.ToString());
    }
}

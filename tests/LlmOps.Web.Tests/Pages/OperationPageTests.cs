using Bunit;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Pages.Approvals;
using LlmOps.Web.Components.Pages.Audit;
using LlmOps.Web.Components.Pages.Deployments;
using LlmOps.Web.Components.Pages.Evaluations;
using LlmOps.Web.Components.Pages.Knowledge;
using LlmOps.Web.Components.Pages.Pipelines;
using LlmOps.Web.Components.Pages.Schedules;
using LlmOps.Web.Components.Pages.Settings;
using LlmOps.Web.Components.Pages.Traces;
using LlmOps.Web.Components.Pages.Workers;
using Microsoft.AspNetCore.Components;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Pages;

public sealed class OperationPageTests : OperationPages
{
    private string Address => Services.GetRequiredService<NavigationManager>().Uri;

    [Fact]
    public void Pipelines_AreListed()
    {
        var page = Open<PipelineList>(Product.Alice);
        page.WaitForAssertion(() => Assert.Equal("/pipelines/tiny", page.Find("[data-row-link]").GetAttribute("href")));
        Assert.Contains("Failed", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public void Pipeline_Starts_AndLeadsToTheRun()
    {
        var page = Open<PipelinePage>(Product.Alice, "/pipelines/tiny", p => p.Add(x => x.Name, "tiny"));
        page.WaitForElement(".page-actions");
        Button(page, "Start").Click();
        page.WaitForAssertion(() => Assert.Contains("/pipeline-runs/", Address, StringComparison.Ordinal));
    }

    [Fact]
    public void Pipeline_ShowsAProblemWithItsPath_AndRefusesToSave()
    {
        var page = Open<PipelinePage>(Product.Alice, "/pipelines/tiny?tab=yaml", p => p.Add(x => x.Name, "tiny"));
        page.WaitForElement("textarea").Input("name: tiny\nstages:\n  - kind: brew\n");
        Assert.Contains("stages[0].kind", page.Find(".problems").TextContent, StringComparison.Ordinal);
        Assert.True(Button(page, "Save").HasAttribute("disabled"));
    }

    [Fact]
    public void ATrainingStage_SaysWhatItWillTake_AndItsManyParametersStandInGroups()
    {
        var page = Open<PipelineEditor>(Product.Alice, "/", p => p.Add(x => x.Saved, TrainingYaml).Add(x => x.Yaml, TrainingYaml).Add(x => x.OnSave, _ => Task.CompletedTask));
        page.InvokeAsync(() => page.FindComponent<LlmOps.Web.Components.Shared.PipelineDiagram>().Instance.SelectedIdChanged.InvokeAsync("train"));
        page.WaitForAssertion(() => Assert.Contains("The data is not known before ${data.corpus} was made", page.Find(".training-plan").TextContent, StringComparison.Ordinal));
        Assert.Equal(TrainingFieldGroups.Order.Except([TrainingFieldGroups.Adapter]), page.FindAll(".parameter-group > summary").Select(s => s.FirstChild!.TextContent.Trim()));
        Assert.Equal([true, true, false, false, false], page.FindAll(".parameter-group").Select(g => g.HasAttribute("open")));
        Assert.Contains("1 of 6 set", page.FindAll(".parameter-group > summary")[1].TextContent, StringComparison.Ordinal);
        // A value that is changed in a folded group unfolds it for good.
        page.FindAll(".parameter-group input").Single(i => i.Id!.EndsWith("-seed", StringComparison.Ordinal)).Change("7");
        Assert.True(page.FindAll(".parameter-group")[4].HasAttribute("open"));
    }

    private const string TrainingYaml = """
        name: fresh
        stages:
          - name: data
            kind: import-data
            with: {source: data, name: fresh}
          - name: tokenizer
            kind: train-tokenizer
            with: {corpus: "${data.corpus}", vocabulary_size: 304}
          - name: train
            kind: pretrain
            with: {corpus: "${data.corpus}", tokenizer: "${tokenizer.tokenizer}", model: fresh, epochs: 3}
        """;

    [Fact]
    public async Task Run_RetriesItsFailedStage()
    {
        var page = Open<PipelineRunPage>(Product.Alice, $"/pipeline-runs/{Lived.Run.Id}", p => p.Add(x => x.Id, Lived.Run.Id));
        page.WaitForElement(".stage-panel");
        Assert.Contains("row 3 is no JSON", page.Markup, StringComparison.Ordinal);
        Button(page, "Retry").Click();
        page.WaitForAssertion(() => Assert.Contains("Waits for a worker", page.Markup, StringComparison.Ordinal));
        Assert.Equal(2, await Product.ReadAsync(db => db.StageRuns.Where(s => s.Name == "import").Select(s => s.Round).SingleAsync()));
    }

    [Fact]
    public void Run_SaysToAViewer_WhyNothingCanBeDone()
    {
        var page = Open<PipelineRunPage>(Product.Victor, $"/pipeline-runs/{Lived.Run.Id}", p => p.Add(x => x.Id, Lived.Run.Id));
        page.WaitForElement(".stage-panel");
        var retry = Button(page, "Retry");
        Assert.True(retry.HasAttribute("disabled"));
        Assert.Contains("Engineer", retry.GetAttribute("title"), StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluations_AreListed_AndOneShowsItsNumbers()
    {
        var list = Open<EvaluationList>(Product.Victor);
        list.WaitForAssertion(() => Assert.Equal(2, list.FindAll("[data-row-link]").Count));
        var page = Open<EvaluationPage>(Product.Victor, "/", p => p.Add(x => x.Id, Lived.CandidateEvaluation));
        page.WaitForAssertion(() => Assert.Contains("80.0 %", page.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public void Comparison_BeginsWithTheVerdictInWords()
    {
        var page = Open<CompareEvaluations>(Product.Victor, $"/evaluations/compare?a={Lived.ChampionEvaluation}&b={Lived.CandidateEvaluation}");
        page.WaitForAssertion(() => Assert.Contains("tiny-lm/2 int8 is better than tiny-lm/1 int8 on preference accuracy", page.Find(".verdict").TextContent, StringComparison.Ordinal));
        Assert.Contains("16 became right", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Approval_IsDecidedByTheSecondPerson()
    {
        var page = Open<ApprovalPage>(Product.Rosa, "/", p => p.Add(x => x.Id, Lived.Waiting.Id));
        page.WaitForElement("textarea").Input("fine");
        Button(page, "Approve").Click();
        page.WaitForAssertion(() => Assert.Contains("rosa decided", page.Markup, StringComparison.Ordinal));
        Assert.Equal(ApprovalState.Approved, await Product.ReadAsync(db => db.Approvals.Where(a => a.Id == Lived.Waiting.Id).Select(a => a.State).SingleAsync()));
    }

    [Fact]
    public void Approval_IsNotDecidedByWhoAsked()
    {
        var asking = Actor.WithRoles(Product.Alice.Id, "alice", [Roles.Admin]);
        var page = Open<ApprovalPage>(asking, "/", p => p.Add(x => x.Id, Lived.Waiting.Id));
        page.WaitForElement("textarea");
        Assert.True(Button(page, "Approve").HasAttribute("disabled"));
        Assert.Contains("A second person has to decide", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public void Approvals_ShowWhatWaits()
    {
        var page = Open<ApprovalList>(Product.Rosa);
        page.WaitForAssertion(() => Assert.Contains("Yours to decide", page.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public void Deployment_RollsBack()
    {
        var list = Open<DeploymentList>(Product.Rosa);
        list.WaitForAssertion(() => Assert.Equal("/deployments/assistant", list.Find("[data-row-link]").GetAttribute("href")));
        var page = Open<DeploymentPage>(Product.Rosa, "/deployments/assistant", p => p.Add(x => x.Name, "assistant"));
        page.WaitForElement(".page-actions");
        Button(page, "Roll back to revision 1").Click();
        page.WaitForAssertion(() => Assert.True(Button(page, "Roll back").HasAttribute("disabled")));
    }

    [Fact]
    public void Knowledge_IsListed()
    {
        var page = Open<KnowledgeList>(Product.Victor);
        page.WaitForAssertion(() => Assert.Equal("/knowledge/handbook", page.Find("[data-row-link]").GetAttribute("href")));
    }

    [Fact]
    public void Trace_ShowsItsStepsAndTheChosenOne()
    {
        var list = Open<TraceList>(Product.Victor);
        list.WaitForAssertion(() => Assert.Contains("Define dog.", list.Markup, StringComparison.Ordinal));
        var page = Open<TracePage>(Product.Alice, "/", p => p.Add(x => x.Id, Lived.TraceId));
        page.WaitForAssertion(() => Assert.Equal(2, page.FindAll(".waterfall-row").Count));
        page.FindAll(".waterfall-row")[1].Click();
        Assert.Equal("true", page.FindAll(".waterfall-row")[1].GetAttribute("aria-pressed"));
    }

    [Fact]
    public void Workers_ShowTheirHeartbeat()
    {
        var page = Open<WorkerList>(Product.Victor);
        page.WaitForAssertion(() => Assert.Contains("worker-1", page.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public void Schedule_IsDisabled()
    {
        var page = Open<ScheduleList>(Product.Alice);
        page.WaitForAssertion(() => Assert.Contains("Europe/Berlin", page.Markup, StringComparison.Ordinal));
        Button(page, "Disable").Click();
        page.WaitForAssertion(() => Assert.Contains("Paused", page.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public void Audit_ShowsBeforeAndAfter()
    {
        var page = Open<AuditPage>(Product.Victor, "/audit?subject=schedule");
        page.WaitForAssertion(() => Assert.Contains("nightly", page.Markup, StringComparison.Ordinal));
        Button(page, "Show").Click();
        page.WaitForAssertion(() => Assert.Contains("0 3 * * *", page.Find("dialog pre:last-of-type").ParentElement!.ParentElement!.TextContent, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Audit_SaysThatTheChainIsIntactAndWhereItWasChanged()
    {
        var page = Open<AuditPage>(Product.Victor, "/audit");
        page.WaitForAssertion(() => Assert.NotEmpty(page.FindAll("table")));
        Assert.Equal([], (await Product.Get<VerifyAudit>().VerifyAsync([])).Problems);
        Button(page, "Verify the chain").Click();
        page.WaitForAssertion(() => Assert.Contains("entries is intact", page.Markup, StringComparison.Ordinal));
        await Product.ReadAsync(db => db.Audit.Where(a => a.Sequence == 2).ExecuteUpdateAsync(s => s.SetProperty(a => a.ActorName, "nobody")));
        Button(page, "Verify the chain").Click();
        page.WaitForAssertion(() => Assert.Contains("by nobody) was edited", page.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public void Token_ShowsItsSecretOnce()
    {
        var page = Open<SettingsPage>(Product.Alice, "/settings");
        page.WaitForElement(".list-actions");
        Button(page, "New token").Click();
        page.WaitForElement("dialog input[maxlength]").Input("ci");
        Button(page, "Create token").Click();
        page.WaitForAssertion(() => Assert.StartsWith(ManageTokens.Start, page.Find(".secret code").TextContent, StringComparison.Ordinal));
        Button(page, "I have it").Click();
        Assert.Empty(page.FindAll(".secret"));
    }

    [Fact]
    public async Task Token_GetsLimitsOfItsOwn()
    {
        var made = await Product.Get<ManageTokens>().CreateAsync("nightly", [Permission.Chat], null, Product.Alice);
        var page = Open<SettingsPage>(Product.Alice, "/settings");
        var row = page.WaitForElement($"tr:contains('nightly')");
        Assert.Contains("The server's", row.TextContent, StringComparison.Ordinal);
        row.QuerySelectorAll("button").First(b => b.TextContent.Contains("Limits", StringComparison.Ordinal)).Click();
        page.WaitForElement("dialog input[type=number]").Change("30");
        Button(page, "Save limits").Click();
        page.WaitForAssertion(() => Assert.Contains("30 requests/min", page.Find("table").TextContent, StringComparison.Ordinal));
        Assert.Equal(new TokenLimits(RequestsPerMinute: 30), (await Product.Get<ReadPeople>().TokensAsync(Product.Alice.Id)).Single(t => t.Id == made.Token.Id).Limits);
    }

    [Fact]
    public void People_AreOnlyChangedByAdministrators()
    {
        var page = Open<SettingsPage>(Product.Alice, "/settings?tab=people");
        page.WaitForAssertion(() => Assert.Contains("erin", page.Markup, StringComparison.Ordinal));
        Assert.True(Button(page, "New person").HasAttribute("disabled"));
    }
}

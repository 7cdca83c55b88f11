using Bunit;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracing.Drift;
using LlmOps.Web.Components.Pages.Deployments;
using LlmOps.Web.Components.Shared;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Pages;

public sealed class DriftPageTests : OperationPages
{
    private IRenderedComponent<DriftPanel> Panel(LlmOps.Lifecycle.Identity.Actor actor) => Open<DriftPanel>(actor, "/deployments/assistant?tab=drift", p => p.Add(x => x.Deployment, "assistant"));

    private Task AskAsync(int count, TimeSpan ago, int first, string answer) => Product.Get<IngestSpans>().IngestAsync([.. Enumerable.Range(0, count).Select(i =>
    {
        var trace = Guid.NewGuid().ToString("N");
        return new Span { TraceId = trace, SpanId = trace[..16], Name = "chat", Kind = "chat", DeploymentName = "assistant", RevisionName = "2", StartedAt = Product.Clock.GetUtcNow() - ago - TimeSpan.FromSeconds(i), DurationMs = 100 + i % 20, InputTokens = first + i % 20, OutputTokens = 10 + i % 20, Input = $"question {i % 20}", Output = answer };
    })]);

    private static AngleSharp.Dom.IElement Field(IRenderedComponent<DriftPanel> page, string label) =>
        page.Find("#" + page.FindAll("dialog label").First(l => l.TextContent.StartsWith(label, StringComparison.Ordinal)).GetAttribute("for"));

    [Fact]
    public async Task ADrift_IsShownWithItsNumbers_ItsTraces_AndHowRefusalsWereFound()
    {
        await AskAsync(200, TimeSpan.FromDays(3), 10, "Certainly.");
        await AskAsync(180, TimeSpan.FromHours(2), 60, "Certainly.");
        await AskAsync(20, TimeSpan.FromHours(3), 60, "I'm sorry, but I can't help with that.");
        var page = Panel(Product.Rosa);
        page.WaitForAssertion(() => Assert.Contains("Not looked at yet", page.Markup, StringComparison.Ordinal));
        Button(page, "Compare now").Click();
        page.WaitForAssertion(() => Assert.Contains("Drifted by more than is tolerated: prompt length, refusals.", page.Markup, StringComparison.Ordinal), TimeSpan.FromSeconds(30));
        // 10…29 against 60…79 tokens; 20 of 200 answers refuse, none of 200 before. The trace that the page's product has in its window is the 201st.
        var rows = page.FindAll(".drift-table tbody tr").Select(r => r.TextContent).ToList();
        Assert.Contains(rows, r => r.Contains("Prompt length", StringComparison.Ordinal) && r.Contains("19.5 tokens", StringComparison.Ordinal));
        Assert.Contains(rows, r => r.Contains("Refusals", StringComparison.Ordinal) && r.Contains("n 200 before, 201 now", StringComparison.Ordinal) && r.Contains("10 %", StringComparison.Ordinal));
        Assert.Contains("by English phrases: 0 before, 20 now", page.Markup, StringComparison.Ordinal);
        var shown = page.FindAll(".drift-examples a").Select(a => a.GetAttribute("href")!).ToList();
        Assert.Equal(10, shown.Count);
        var refused = await Product.ReadAsync(db => db.Spans.Where(s => s.Output!.StartsWith("I'm sorry")).Select(s => "/traces/" + s.TraceId).ToListAsync());
        Assert.All(shown[5..], href => Assert.Contains(href, refused));
        var report = (await Product.Get<ReadDrift>().GetAsync("assistant")).Checks[0].Report;
        Assert.Contains(page.FindAll("a"), a => a.GetAttribute("href") == $"/deployments/assistant?tab=traces&from={report.WindowFrom.ToUnixTimeMilliseconds()}&to={report.WindowTo.ToUnixTimeMilliseconds()}");
    }

    [Fact]
    public async Task TheForm_ChangesThePolicy_KeepsWhatWasWrongBesideItsField_AndIsAudited()
    {
        var page = Panel(Product.Rosa);
        page.WaitForAssertion(() => Button(page, "Change the policy"));
        Button(page, "Change the policy").Click();
        page.WaitForAssertion(() => Assert.Equal("24", Field(page, "Window").GetAttribute("value")));
        Field(page, "Window").Change("0");
        Field(page, "Most traces").Change("40");
        Button(page, "Save policy").Click();
        page.WaitForAssertion(() => Assert.Contains("Window is 1 to 2160.", page.Markup, StringComparison.Ordinal));
        Field(page, "Window").Change("48");
        Button(page, "Save policy").Click();
        page.WaitForAssertion(() => Assert.Contains("The most must not be below the least, 50.", page.Markup, StringComparison.Ordinal));
        Assert.Empty(await Product.ReadAsync(db => db.DriftWatches.ToListAsync()));

        Field(page, "Most traces").Change("400");
        Field(page, "Phrases of refusals").Change("Dazu darf ich nichts sagen\n\n  できません ");
        Field(page, "The server looks by itself").Change(true);
        Button(page, "Save policy").Click();
        page.WaitForState(() => Product.ReadAsync(db => db.DriftWatches.AnyAsync()).Result);
        var state = await Product.Get<ReadDrift>().GetAsync("assistant");
        Assert.Equal((true, 48, 400, 50, 0.05), (state.Watched, state.Policy.WindowHours, state.Policy.MostTraces, state.Policy.LeastTraces, state.Policy.Alpha));
        Assert.Equal(["Dazu darf ich nichts sagen", "できません"], state.Policy.RefusalPhrases);
        page.WaitForAssertion(() => Assert.Contains("Stop watching", page.Markup, StringComparison.Ordinal));
        var entry = await Product.ReadAsync(db => db.Audit.AsNoTracking().SingleAsync(a => a.Action == "watch-drift"));
        Assert.Equal(("rosa", "assistant"), (entry.ActorName, entry.SubjectId));

        // What was saved is what the form shows next.
        Button(page, "Change the policy").Click();
        page.WaitForAssertion(() => Assert.Equal("48", Field(page, "Window").GetAttribute("value")));
        Assert.Equal("Dazu darf ich nichts sagen\nできません", Field(page, "Phrases of refusals").GetAttribute("value"));

        // Who only turns the watch off, over HTTP or with 'llmops drift --watch false', keeps the policy.
        await Product.Get<SetDriftWatch>().SetAsync("assistant", null, false, Product.Rosa);
        state = await Product.Get<ReadDrift>().GetAsync("assistant");
        Assert.Equal((false, 48), (state.Watched, state.Policy.WindowHours));
    }

    [Fact]
    public void Whoever_MayNotDeploy_SeesThePolicy_AndWhyItCannotBeChanged()
    {
        var page = Panel(Product.Victor);
        page.WaitForAssertion(() => Button(page, "Change the policy"));
        Button(page, "Change the policy").Click();
        page.WaitForAssertion(() => Assert.True(Button(page, "Save policy").HasAttribute("disabled")));
        Assert.Contains(Product.Victor.Objection(LlmOps.Lifecycle.Identity.Permission.Deploy)!, page.Find("dialog").TextContent, StringComparison.Ordinal);
    }
}

using Bunit;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Pages.Evaluations;
using LlmOps.Web.Components.Pages.Gates;
using LlmOps.Web.Components.Shared;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Pages;

public sealed class GatePageTests : OperationPages
{
    private const string Yaml = "name: release\ndescription: For production\nnon_inferiority:\n  - metric: preference.accuracy\n    margin: 0.05\n";

    [Fact]
    public async Task APolicy_IsWrittenInTheForm_Saved_AndShown()
    {
        var page = Open<NewPolicy>(Product.Alice, "/gates/-/new");
        await page.WaitForElement("input[aria-label=Number]").ChangeAsync("0.07");
        await page.Find("select[aria-label=Kind]").ChangeAsync("Improvement");
        Button(page, "Add rule").Click();
        await page.FindAll("label.check input")[1].ChangeAsync(true);
        Button(page, "Save policy").Click();
        page.WaitForAssertion(() => Assert.EndsWith("/gates/release?number=1", Services.GetRequiredService<Microsoft.AspNetCore.Components.NavigationManager>().Uri, StringComparison.Ordinal));
        var saved = PolicyDocument.Parse(await Product.ReadAsync(db => db.GatePolicies.Select(p => p.Yaml).SingleAsync()));
        Assert.Equal(["contamination zero", "corpus.bits_per_byte no-worse-than champion by 0.05", "definitions.bits_per_byte better-than champion by 0.07", "parity passed"], saved.Rules.Select(r => r.Text).Order(StringComparer.Ordinal));
        var shown = Open<PolicyPage>(Product.Victor, "/gates/release", p => p.Add(x => x.Name, "release"));
        shown.WaitForAssertion(() => Assert.Contains("better-than champion by 0.07", shown.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public void WhatIsWrongWithAPolicy_IsSaidWithItsLine_AndNothingCanBeSaved()
    {
        var page = Open<NewPolicy>(Product.Alice, "/gates/-/new?tab=yaml");
        page.WaitForElement("textarea").Input("name: x\nalhpa: 1");
        page.WaitForAssertion(() => Assert.Contains("line 2: 'alhpa' is unknown", page.Find(".problems").TextContent, StringComparison.Ordinal));
        Assert.True(Button(page, "Save policy").HasAttribute("disabled"));
        Assert.True(Button(Open<NewPolicy>(Product.Victor, "/gates/-/new"), "Save policy").HasAttribute("disabled"));
    }

    [Fact]
    public async Task Policies_AreListed_AndTheirDecisionsShown()
    {
        await Product.Get<SavePolicy>().SaveAsync(Yaml, Product.Alice);
        await Product.Get<JudgeVersion>().DecideAsync(new("tiny-lm/2", "quickstart", Policy: "release"), Product.Alice);
        var list = Open<PolicyList>(Product.Victor, "/gates");
        list.WaitForAssertion(() => Assert.Contains("release/1", list.Find("[data-row-link]").TextContent, StringComparison.Ordinal));
        var page = Open<PolicyPage>(Product.Victor, "/gates/release?tab=decisions", p => p.Add(x => x.Name, "release"));
        page.WaitForAssertion(() => Assert.Contains("tiny-lm/2 int8", page.Markup, StringComparison.Ordinal));
        Assert.Contains("Pass: the rule holds.", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ThePlan_SaysWhatTheRowsCanShow()
    {
        await Product.Get<SavePolicy>().SaveAsync(Yaml, Product.Alice);
        var page = Open<PlanEvaluationPage>(Product.Victor, "/gates/-/plan?suite=quickstart&policy=release/1&rows=100");
        page.WaitForAssertion(() => Assert.Contains("the margin 0.05 needs", page.Find(".evaluation-plan").TextContent, StringComparison.Ordinal));
        var never = Open<PlanEvaluationPage>(Product.Victor, "/gates/-/plan?suite=never");
        never.WaitForAssertion(() => Assert.Contains("was never run", never.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public void Comparison_ShowsCharts_AndTheRowsThatRegressed_ByVersionAndVariant()
    {
        var page = Open<CompareEvaluations>(Product.Victor, "/evaluations/compare?runs=tiny-lm/2:int8,tiny-lm/1:int8&task=preference&rows=regressed");
        page.WaitForAssertion(() => Assert.Contains("but worse on preference accuracy", page.Find(".verdict").TextContent, StringComparison.Ordinal));
        Assert.NotEmpty(page.FindComponents<EChart>());
        Assert.Contains("16 became wrong", page.Markup, StringComparison.Ordinal);
        page.WaitForAssertion(() => Assert.Equal(16, page.FindComponents<CompareRows>().Single().FindAll("tr[data-row]").Count));
    }

    [Fact]
    public void Comparison_SaysWhatIsWrongWithItsAddress()
    {
        var page = Open<CompareEvaluations>(Product.Victor, "/evaluations/compare?runs=tiny-lm/2:int8,nobody/1");
        page.WaitForAssertion(() => Assert.Contains("'nobody/1' does not exist", page.Markup, StringComparison.Ordinal));
    }
}

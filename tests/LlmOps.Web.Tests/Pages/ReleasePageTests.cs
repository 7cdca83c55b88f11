using Bunit;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Web.Components.Pages.Approvals;
using LlmOps.Web.Components.Pages.Incidents;
using LlmOps.Web.Components.Pages.Models;
using LlmOps.Web.Components.Pages.Schedules;
using Microsoft.AspNetCore.Components;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Pages;

/// <summary>What a release manager does on the pages of a request, of a model's aliases and of an incident.</summary>
public sealed class ReleasePageTests : OperationPages
{
    private string Address => Services.GetRequiredService<NavigationManager>().Uri;

    private IRenderedComponent<ApprovalPage> Approval(Actor actor)
    {
        var page = Open<ApprovalPage>(actor, $"/approvals/{Lived.Waiting.Id}", p => p.Add(x => x.Id, Lived.Waiting.Id));
        page.WaitForElement("textarea");
        return page;
    }

    [Fact]
    public async Task Comment_DecidesNothing_AndOnlyWhoAskedWithdraws()
    {
        var page = Approval(Product.Rosa);
        Assert.DoesNotContain(page.FindAll("button"), b => b.TextContent.Trim() == "Withdraw");
        await page.Find("textarea").InputAsync("Which rows became worse?");
        Button(page, "Comment only").Click();
        page.WaitForAssertion(() => Assert.Contains("Which rows became worse?", page.Find(".decision .rows").TextContent, StringComparison.Ordinal));
        Assert.Equal("", page.Find("textarea").GetAttribute("value") ?? "");
        Assert.Equal(ApprovalState.WaitingForApproval, await StateAsync());

        var own = Approval(Product.Alice);
        Assert.Contains("Which rows became worse?", own.Markup, StringComparison.Ordinal);
        Assert.True(Button(own, "Approve").HasAttribute("disabled"));
        await own.Find("textarea").InputAsync("Too early.");
        Button(own, "Withdraw").Click();
        own.WaitForAssertion(() => Assert.Contains("Too early.", own.Find("blockquote").TextContent, StringComparison.Ordinal));
        Assert.Equal(ApprovalState.Withdrawn, await StateAsync());
    }

    [Fact]
    public async Task Delegate_SeesInWhosePlace_AndSigns()
    {
        var erin = (await Product.Get<ManagePeople>().FindActorAsync(Lived.Engineer.Id))!;
        var rolf = (await Product.Get<ManagePeople>().FindActorAsync(Lived.Release.Id))!;
        Assert.True(Button(Approval(erin), "Approve").HasAttribute("disabled"));
        var now = Product.Clock.GetUtcNow();
        await Product.Get<ManageDelegations>().CreateAsync("erin", now, now.AddDays(2), "At sea", rolf);
        var page = Approval(erin);
        Assert.Contains("You sign in the place of rolf", page.Find(".decision").TextContent, StringComparison.Ordinal);
        Button(page, "Approve").Click();
        page.WaitForAssertion(() => Assert.Contains("erin for rolf", page.Find(".decision").TextContent, StringComparison.Ordinal));
        Assert.Equal(ApprovalState.Approved, await StateAsync());
    }

    [Fact]
    public async Task Rollback_IsOneClick_AndHistorySaysWhatWasThere()
    {
        // The field has no fractions of a second.
        var before = Product.Clock.GetUtcNow().AddMinutes(1);
        Product.Clock.Advance(TimeSpan.FromHours(1));
        await Product.Get<DecideApproval>().ApproveAsync(Lived.Waiting.Id, "fine", Product.Rosa);
        Product.Clock.Advance(TimeSpan.FromHours(1));
        var model = await Product.Get<ReadModels>().GetAsync("tiny-lm");
        var page = Open<EnvironmentList>(Product.Rosa, "/models/tiny-lm?tab=aliases", p => p.Add(x => x.Model, model));
        page.WaitForElement("table.plain");
        await page.Find("label.field select").ChangeAsync("production");
        Button(page, "Look").Click();
        page.WaitForAssertion(() => Assert.Contains("tiny-lm/2 int8", page.Find("[role=status]").TextContent, StringComparison.Ordinal));
        Assert.Contains("on the word of rosa", page.Find("[role=status]").TextContent, StringComparison.Ordinal);
        await page.Find("input[type=datetime-local]").ChangeAsync(before.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss", System.Globalization.CultureInfo.InvariantCulture));
        Button(page, "Look").Click();
        page.WaitForAssertion(() => Assert.Contains("tiny-lm/1 int8", page.Find("[role=status]").TextContent, StringComparison.Ordinal));
        await page.Find("input[type=datetime-local]").ChangeAsync("2020-01-01T00:00:00");
        Button(page, "Look").Click();
        page.WaitForAssertion(() => Assert.Contains("production held nothing then", page.Find("[role=status]").TextContent, StringComparison.Ordinal));

        Button(page, "Roll back").Click();
        page.WaitForAssertion(() => Assert.Contains("/approvals/", Address, StringComparison.Ordinal));
        var id = Guid.Parse(new Uri(Address).Segments[^1]);
        var request = Open<ApprovalPage>(Product.Ada, $"/approvals/{id}", p => p.Add(x => x.Id, id));
        request.WaitForAssertion(() => Assert.Contains("Roll back to tiny-lm/1 int8", request.Find("h1").TextContent, StringComparison.Ordinal));
        Button(request, "Approve").Click();
        request.WaitForAssertion(() => Assert.Contains("Approved", request.Markup, StringComparison.Ordinal));
        Assert.Equal(1, await Product.ReadAsync(db => db.Aliases.Where(a => a.Name == "production").Join(db.ModelVersions, a => a.VersionId, v => v.Id, (_, v) => v.Number).SingleAsync()));
    }

    [Fact]
    public async Task Incident_ShowsItsRows_IsAcknowledged_AndResolvedWithANote()
    {
        var detail = new IncidentDetail("nightly", "tiny-lm/2 int8", "tiny-lm/1 int8", [new RuleResult("preference.accuracy no-worse-than champion by 0.05", Verdict.Fail, "It is 0.2 worse.")],
            [new BrokenRow("preference", "row-7", null, "Define otter.", "an animal", "an animal", "a kettle", 1, 0)], 1, [Product.Clock.GetUtcNow()], Lived.Run.Id);
        var incident = new Incident { Title = "tiny-lm/2 int8 regressed on nightly", DetailJson = Json.Write(detail), OpenedAt = Product.Clock.GetUtcNow() };
        await Product.WriteAsync(db => db.Incidents.Add(incident));
        var home = Open<OpenIncidents>(Product.Victor);
        home.WaitForAssertion(() => Assert.Equal($"/incidents/{incident.Id}", home.Find("a").GetAttribute("href")));

        var page = Open<IncidentPage>(Product.Rosa, $"/incidents/{incident.Id}", p => p.Add(x => x.Id, incident.Id));
        page.WaitForAssertion(() => Assert.Contains("a kettle", page.Find("tbody").TextContent, StringComparison.Ordinal));
        Assert.Contains("It is 0.2 worse.", page.Markup, StringComparison.Ordinal);
        Assert.True(Button(Open<IncidentPage>(Product.Victor, $"/incidents/{incident.Id}", p => p.Add(x => x.Id, incident.Id)), "Acknowledge").HasAttribute("disabled"));
        Button(page, "Acknowledge").Click();
        page.WaitForAssertion(() => Assert.Contains("acknowledged by rosa", page.Markup, StringComparison.Ordinal));
        Assert.True(Button(page, "Resolve").HasAttribute("disabled"));
        await page.Find("textarea").InputAsync("A bad export; withdrawn.");
        Button(page, "Resolve").Click();
        page.WaitForAssertion(() => Assert.Contains("A bad export; withdrawn.", page.Markup, StringComparison.Ordinal));
        Assert.Empty(page.FindAll("textarea"));
        Assert.Empty(await Product.Get<ReadIncidents>().ListAsync(openOnly: true));
    }

    [Fact]
    public async Task Calendar_ShowsWhatFired_AndWhatWill()
    {
        var schedule = await Product.ReadAsync(db => db.Schedules.SingleAsync());
        var due = Product.Clock.GetUtcNow();
        await Product.WriteAsync(db => db.ScheduleFirings.Add(new ScheduleFiring { ScheduleId = schedule.Id, DueAt = due, FiredAt = due, Missed = 3, Outcome = FiringOutcome.Failed, Note = "The folder is gone." }));
        var page = Open<ScheduleCalendar>(Product.Victor, "/schedules/calendar");
        page.WaitForAssertion(() => Assert.NotEmpty(page.FindAll(".calendar-today")));
        var today = page.Find(".calendar-today").TextContent;
        Assert.Contains("3 missed before", today, StringComparison.Ordinal);
        Assert.Contains("The folder is gone.", today, StringComparison.Ordinal);
        Assert.Contains("Scheduled", page.FindAll(".calendar li")[^1].TextContent, StringComparison.Ordinal);
        Assert.Equal("/schedules", page.FindAll("a").Last(a => a.TextContent == "List").GetAttribute("href"));
    }

    private Task<ApprovalState> StateAsync() => Product.ReadAsync(db => db.Approvals.Where(a => a.Id == Lived.Waiting.Id).Select(a => a.State).SingleAsync());
}

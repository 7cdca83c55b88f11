using Bunit;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Web.Components.Layout;
using LlmOps.Web.Components.Pages.Approvals;
using LlmOps.Web.Components.Pages.Gates;
using LlmOps.Web.Components.Pages.Models;
using LlmOps.Web.Components.Pages.Schedules;
using Microsoft.AspNetCore.Components;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Pages;

/// <summary>Forms of a release manager and an administrator: what is wrong stands beside its field, and what is right is saved.</summary>
public sealed class ReleaseFormTests : OperationPages
{
    private string Address => Services.GetRequiredService<NavigationManager>().Uri;

    [Fact]
    public async Task Environments_AreSetByAnAdministrator_AndWrongRowsSaySoAtTheField()
    {
        var model = await Product.Get<ReadModels>().GetAsync("tiny-lm");
        var page = Open<EnvironmentList>(Product.Ada, "/", p => p.Add(x => x.Model, model));
        page.WaitForAssertion(() => Assert.Equal(3, page.FindAll("table.plain tbody tr").Count));
        Button(page, "Change the environments…").Click();
        page.WaitForElement("fieldset.choices");
        await page.FindAll("input[id$=signatures]")[2].InputAsync("11");
        await page.FindAll("input[id$=alias]")[0].InputAsync("Next one");
        Button(page, "Save the environments").Click();
        Assert.Contains("asks for 11 approvals", page.FindAll("span[id$=signatures-error]")[2].TextContent, StringComparison.Ordinal);
        Assert.Contains("'Next one' is no usable alias", page.FindAll("span[id$=alias-error]")[0].TextContent, StringComparison.Ordinal);
        Assert.Equal("true", page.FindAll("input[id$=alias]")[0].GetAttribute("aria-invalid"));
        Assert.Null(await Product.ReadAsync(db => db.Models.Where(m => m.Name == "tiny-lm").Select(m => m.EnvironmentsJson).SingleAsync()));

        await page.FindAll("input[id$=signatures]")[2].InputAsync("2");
        await page.FindAll("input[id$=alias]")[0].InputAsync("next");
        await page.FindAll("select[id$=verdict]")[2].ChangeAsync("Pass");
        Button(page, "Save the environments").Click();
        page.WaitForAssertion(() => Assert.Contains("at least Pass", page.Find("table.plain").TextContent, StringComparison.Ordinal));
        var saved = await Product.Get<ReadAliasHistory>().EnvironmentsAsync("tiny-lm");
        Assert.Equal([("next", 1), ("staging", 1), ("production", 2)], saved.Select(e => (e.Alias, e.RequiredApprovals)));
        Assert.True(Button(Open<EnvironmentList>(Product.Rosa, "/", p => p.Add(x => x.Model, model)), "Change the environments…").HasAttribute("disabled"));
    }

    [Fact]
    public async Task Delegation_IsGiven_AndEnded()
    {
        var page = Open<DelegationList>(Product.Rosa);
        Button(page, "New delegation").Click();
        var choose = page.WaitForElement("#delegate-to");
        await choose.ChangeAsync(Lived.Release.UserName!);
        await page.Find("#delegate-until").InputAsync("2020-01-01");
        Button(page, "Delegate").Click();
        Assert.Contains("ends after it starts", page.Find("#delegate-until-error").TextContent, StringComparison.Ordinal);
        Assert.Contains("Say why", page.Find("#delegate-reason-error").TextContent, StringComparison.Ordinal);
        Assert.Equal(0, await Product.ReadAsync(db => db.Delegations.CountAsync()));

        await page.Find("#delegate-until").InputAsync(Product.Clock.GetUtcNow().AddDays(3).ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture));
        await page.Find("#delegate-reason").InputAsync("A week at sea");
        Button(page, "Delegate").Click();
        page.WaitForAssertion(() => Assert.Contains("A week at sea", page.Find("tbody").TextContent, StringComparison.Ordinal));
        var made = await Product.ReadAsync(db => db.Delegations.SingleAsync());
        Assert.Equal((Lived.Release.Id, TimeSpan.Zero), (made.ToId, made.EndsAt.TimeOfDay));
        Button(page, "End now").Click();
        page.WaitForAssertion(() => Assert.Contains("Revoked", page.Find("tbody").TextContent, StringComparison.Ordinal));
        Assert.True(Button(Open<DelegationList>(Product.Alice), "New delegation").HasAttribute("disabled"));
    }

    [Fact]
    public async Task Override_IsAllThatAReleaseManagerAsksFor_AndNeedsAReason()
    {
        var version = await Product.Get<ReadVersion>().GetAsync(new VersionKey("tiny-lm", 2));
        var dialog = Open<PromotionDialog>(Product.Rosa, "/", p => p.Add(x => x.Version, version).Add(x => x.Measurements, null));
        await dialog.InvokeAsync(() => dialog.Instance.OpenAsync("int8"));
        dialog.WaitForElement("#override-reason");
        Assert.True(dialog.Find("input[type=checkbox]").HasAttribute("disabled"));
        await dialog.Find("#override-reason").InputAsync("soon");
        Button(dialog, "Request override").Click();
        Assert.Contains("at least 10 characters", dialog.Find("#override-reason-error").TextContent, StringComparison.Ordinal);
        await dialog.Find("#override-reason").InputAsync("It tells addresses; this one does not.");
        Button(dialog, "Request override").Click();
        dialog.WaitForAssertion(() => Assert.Contains("/approvals/", Address, StringComparison.Ordinal));
        var id = Guid.Parse(new Uri(Address).Segments[^1]);
        Assert.Equal((PromotionKind.Override, "rosa"), await Product.ReadAsync(db => db.Approvals.Where(a => a.Id == id).Select(a => ValueTuple.Create(a.Kind, a.RequestedBy)).SingleAsync()));

        await Product.Get<DecideApproval>().ApproveAsync(id, "Go.", Product.Ada);
        Assert.Contains("production", (await Product.Get<ReadAliasHistory>().OverridesAsync("tiny-lm")).Select(o => o.Alias));
    }

    [Fact]
    public async Task AlertRule_IsMade_Changed_Tested_AndDeleted()
    {
        var page = Open<AlertRules>(Product.Alice, "/schedules/alerts");
        page.WaitForAssertion(() => Assert.Contains("Nobody has made one", page.Markup, StringComparison.Ordinal));
        Button(page, "New alert rule").Click();
        page.WaitForElement("#alert-name");
        await page.Find("#alert-condition").ChangeAsync(AlertConditions.Trend);
        await page.Find("#alert-email").InputAsync("release@example.org");
        Button(page, "Create alert rule").Click();
        Assert.Contains("is no usable name", page.Find("#alert-name-error").TextContent, StringComparison.Ordinal);
        Assert.Contains("needs the metric", page.Find("#alert-metric-error").TextContent, StringComparison.Ordinal);
        Assert.Contains("there is no mail server", page.Find("#alert-email-error").TextContent, StringComparison.Ordinal);
        Assert.Equal(0, await Product.ReadAsync(db => db.AlertRules.CountAsync()));

        await page.Find("#alert-name").InputAsync("nights");
        await page.Find("#alert-metric").InputAsync("preference.accuracy");
        await page.Find("#alert-email").InputAsync("");
        await page.Find("#alert-schedule").ChangeAsync("nightly");
        Button(page, "Create alert rule").Click();
        page.WaitForAssertion(() => Assert.Contains("preference.accuracy gets worse (last 10 firings)", page.Find("tbody").TextContent, StringComparison.Ordinal));

        Button(page, "Change…").Click();
        page.WaitForElement("#alert-condition");
        await page.Find("#alert-condition").ChangeAsync(AlertConditions.Missed);
        Button(page, "Save").Click();
        page.WaitForAssertion(() => Assert.Contains("a due time was missed", page.Find("tbody").TextContent, StringComparison.Ordinal));
        Button(page, "Send a test").Click();
        page.WaitForAssertion(() => Assert.Contains("Test of nights", page.Markup, StringComparison.Ordinal));
        Assert.Equal(NotificationState.Sent, await Product.ReadAsync(db => db.Notifications.Select(n => n.State).SingleAsync()));
        Button(page, "Disable").Click();
        page.WaitForAssertion(() => Assert.Contains("Paused", page.Find("tbody").TextContent, StringComparison.Ordinal));
        Button(page, "Delete…").Click();
        await page.WaitForElement("dialog input[autocomplete=off]").InputAsync("nights");
        page.FindAll("dialog button").Last(b => b.TextContent.Trim().StartsWith("Delete", StringComparison.Ordinal)).Click();
        page.WaitForAssertion(() => Assert.Contains("Nobody has made one", page.Markup, StringComparison.Ordinal));
        Assert.True(Button(Open<AlertRules>(Product.Victor, "/schedules/alerts"), "New alert rule").HasAttribute("disabled"));
    }

    [Fact]
    public async Task Bell_IsEachPersonsOwn()
    {
        var (erin, rolf) = ((await Product.Get<ManagePeople>().FindActorAsync(Lived.Engineer.Id))!, (await Product.Get<ManagePeople>().FindActorAsync(Lived.Release.Id))!);
        await Product.WriteAsync(db => db.Notifications.Add(new Notification { Channel = NotificationChannels.Page, Title = "nightly: fail", Text = "The gate refused it.", Href = "/incidents/1", CreatedAt = Product.Clock.GetUtcNow(), State = NotificationState.Sent }));
        var bell = Open<NotificationBell>(erin);
        bell.WaitForAssertion(() => Assert.Equal("1", bell.Find(".rail-count").TextContent));
        Assert.Equal("/incidents/1", bell.Find(".menu-panel a").GetAttribute("href"));
        Button(bell, "Mark all as read").Click();
        bell.WaitForAssertion(() => Assert.Empty(bell.FindAll(".rail-count")));
        Assert.Empty(await Product.Get<ReadAlerts>().UnreadAsync(erin));
        var other = Open<NotificationBell>(rolf);
        other.WaitForAssertion(() => Assert.Equal("1", other.Find(".rail-count").TextContent));
    }

    [Fact]
    public async Task Policy_IsSavedByAReleaseManager_AndByNoViewer()
    {
        var page = Open<NewPolicy>(Product.Rosa, "/gates/-/new");
        page.WaitForElement("input[aria-label=Number]");
        Button(page, "Save policy").Click();
        page.WaitForAssertion(() => Assert.Contains("?number=1", Address, StringComparison.Ordinal));
        Assert.Equal("rosa", await Product.ReadAsync(db => db.GatePolicies.Select(p => p.CreatedBy).SingleAsync()));
    }

    [Theory]
    [InlineData("/suites/-/new", "Evaluations")]
    [InlineData("/gates?q=x", "Evaluations")]
    [InlineData("/incidents/1", "Schedules")]
    [InlineData("/schedules/calendar", "Schedules")]
    [InlineData("/runs/1", "Experiments")]
    [InlineData("/pipeline-runs/1", "Pipelines")]
    [InlineData("/gatesome", null)]
    public void Rail_ShowsWhereAPageBelongs(string address, string? place)
    {
        this.AddAuthorization();
        var rail = Open<Rail>(Product.Victor, address);
        Assert.Equal(place, rail.FindAll("a.is-active").Select(a => a.GetAttribute("aria-label")).SingleOrDefault());
    }
}

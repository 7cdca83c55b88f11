using Bunit;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.Web.Components.Pages.Settings;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Pages;

public sealed class WebhookPageTests : OperationPages
{
    private Task<WebhookWithSecret> AddAsync() => Product.Get<ManageWebhooks>().CreateAsync(new NewWebhook("ci", "http://localhost:9/hook", ["approval.*"]), Product.Ada);

    [Fact]
    public void Form_MakesAWebhook_AndShowsItsSecretOnce()
    {
        var page = Open<WebhookList>(Product.Ada);
        page.WaitForAssertion(() => Assert.Contains("No webhooks", page.Markup, StringComparison.Ordinal));
        Button(page, "New webhook").Click();
        Button(page, "Create webhook").Click();
        page.WaitForAssertion(() => Assert.Contains("Give it a name.", page.Markup, StringComparison.Ordinal));
        page.Find("#webhook-name").Input("ci");
        page.Find("#webhook-url").Input("https://ci.example.org/hook");
        page.Find("fieldset input[type=checkbox]").Change(false);
        page.FindAll("fieldset label").Single(l => l.TextContent.Contains("approval.signed", StringComparison.Ordinal)).QuerySelector("input")!.Change(true);
        Button(page, "Create webhook").Click();
        page.WaitForAssertion(() => Assert.StartsWith("whsec_", page.Find("#webhook-secret").TextContent, StringComparison.Ordinal));
        page.WaitForAssertion(() => Assert.Contains("https://ci.example.org/hook", page.Find("table").TextContent, StringComparison.Ordinal));
        Assert.Contains("approval.signed", page.Find("table").TextContent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Page_ShowsTheLog_AndReplaysAndTests()
    {
        var made = await AddAsync();
        var delivery = new WebhookDelivery { EndpointId = made.Id, Type = WebhookEvents.ApprovalSigned, Subject = "tiny-lm@production", DataJson = """{"name":"tiny-lm"}""", State = DeliveryState.Failed, Attempts = 1, Tried = 1, LastStatus = 500,
            Error = "The receiver answered 500.", CreatedAt = Product.Clock.GetUtcNow(), EndedAt = Product.Clock.GetUtcNow() };
        await Product.WriteAsync(db => { db.WebhookDeliveries.Add(delivery); db.WebhookAttempts.Add(new WebhookAttempt { DeliveryId = delivery.Id, Number = 1, At = Product.Clock.GetUtcNow(), DurationMs = 12, Status = 500, Response = "out of <memory>", Error = delivery.Error }); });
        var page = Open<WebhookPage>(Product.Ada, $"/settings/webhooks/{made.Id}", p => p.Add(x => x.Id, made.Id));
        page.WaitForAssertion(() => Assert.Contains("The receiver answered 500.", page.Markup, StringComparison.Ordinal));
        Assert.DoesNotContain(made.Secret, page.Markup, StringComparison.Ordinal);
        Button(page, "Show").Click();
        page.WaitForAssertion(() => Assert.Contains("out of &lt;memory&gt;", page.Markup, StringComparison.Ordinal));
        Assert.Contains("\"data\":{\"name\":\"tiny-lm\"}", page.Find("dialog pre").TextContent, StringComparison.Ordinal);
        page.FindAll("button").Single(b => b.TextContent.Trim() == "Replay").Click();
        page.WaitForState(() => Product.ReadAsync(db => db.WebhookDeliveries.AnyAsync(d => d.Id == delivery.Id && d.State == DeliveryState.Waiting)).Result);
        Button(page, "Send a test").Click();
        page.WaitForAssertion(() => Assert.Contains("localhost is inside the house", page.Find("#webhook-test").TextContent, StringComparison.Ordinal), TimeSpan.FromSeconds(10));
        Button(page, "Disable").Click();
        page.WaitForAssertion(() => Assert.True(Button(page, "Send a test").HasAttribute("disabled")));
    }

    [Fact]
    public async Task Page_IsForAdministrators()
    {
        var made = await AddAsync();
        var page = Open<WebhookPage>(Product.Alice, $"/settings/webhooks/{made.Id}", p => p.Add(x => x.Id, made.Id));
        page.WaitForAssertion(() => Assert.Contains("For administrators", page.Markup, StringComparison.Ordinal));
        Assert.DoesNotContain("localhost:9", page.Markup, StringComparison.Ordinal);
    }
}

using Bunit;
using LlmOps.Lifecycle;
using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Tests.Components;

public sealed class ActionButtonTests : InterfaceContext
{
    [Fact]
    public async Task Click_RunsOnce_WhenClickedTwiceWhileBusy()
    {
        var runs = 0;
        var gate = new TaskCompletionSource();
        var page = Render<ActionButton>(p => p.Add(b => b.OnClick, () => { runs++; return gate.Task; }).AddChildContent("Start"));
        var button = page.Find("button");
        var first = button.ClickAsync();
        page.WaitForAssertion(() => Assert.True(page.Find("button").HasAttribute("disabled")));
        await page.InvokeAsync(() => page.Find("button").Click());
        gate.SetResult();
        await first;
        Assert.Equal(1, runs);
        Assert.False(page.Find("button").HasAttribute("disabled"));
    }

    [Fact]
    public void Click_ShowsARefusalWordForWord()
    {
        var page = Render<ActionButton>(p => p.Add(b => b.OnClick, () => throw LlmOpsException.Invalid("The name is taken. Choose another.")).AddChildContent("Create"));
        page.Find("button").Click();
        Assert.Contains("The name is taken. Choose another.", page.Find("[role=alert]").TextContent);
    }

    [Fact]
    public void Click_ShowsOnlyARequestId_WhenTheReasonIsNotForTheReader()
    {
        var page = Render<ActionButton>(p => p.Add(b => b.OnClick, () => throw new InvalidOperationException("secret connection string")).AddChildContent("Create"));
        page.Find("button").Click();
        var text = page.Find("[role=alert]").TextContent;
        Assert.Contains("request id", text);
        Assert.DoesNotContain("secret", text);
    }

    [Fact]
    public void Click_DoesNothing_WhenDisabled()
    {
        var page = Render<ActionButton>(p => p.Add(b => b.OnClick, () => throw new InvalidOperationException()).Add(b => b.Disabled, true).Add(b => b.DisabledReason, "You asked for it yourself.").Add(b => b.ShowReason, true));
        Assert.True(page.Find("button").HasAttribute("disabled"));
        Assert.Contains("You asked for it yourself.", page.Markup);
    }
}

using Bunit;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Components;

public sealed class SmallComponentTests : InterfaceContext
{
    [Fact]
    public void Estimate_ShowsTheDecimalsItsIntervalDeserves()
    {
        var text = Render<EstimateView>(p => p.Add(e => e.Value, 1.84231).Add(e => e.Low, 1.79).Add(e => e.High, 1.9012).Add(e => e.N, 412)).Find(".estimate").TextContent;
        Assert.Contains("1.842", text);
        Assert.Contains("1.790 – 1.901", text);
        Assert.Contains("n = 412", text);
    }

    [Theory]
    [InlineData(0.02, 0.11, "estimate-better")]
    [InlineData(-0.11, -0.02, "estimate-worse")]
    [InlineData(-0.05, 0.03, "estimate-open")]
    public void Estimate_JudgesOnlyWhenTheWholeIntervalIsOnOneSide(double low, double high, string judgement) =>
        Assert.Contains(judgement, Render<EstimateView>(p => p.Add(e => e.Value, (low + high) / 2).Add(e => e.Low, low).Add(e => e.High, high).Add(e => e.ScaleMin, -0.2).Add(e => e.ScaleMax, 0.2).Add(e => e.Reference, 0d).Add(e => e.HigherIsBetter, true)).Markup);

    [Fact]
    public void Markdown_RunsNoScript()
    {
        var html = Render<MarkdownView>(p => p.Add(m => m.Text, "<script>alert(1)</script> [a](javascript:alert(1)) [b](/models) ![c](https://elsewhere.example/x.png)")).Markup;
        Assert.DoesNotContain("<script>", html);
        Assert.DoesNotContain("javascript:", html);
        Assert.DoesNotContain("<img", html);
        Assert.Contains("href=\"/models\"", html);
    }

    [Fact]
    public void Tabs_FollowTheAddress()
    {
        RenderFragment tabs = b =>
        {
            foreach (var key in new[] { "good", "from" })
            {
                b.OpenComponent<UrlTab>(0);
                b.AddComponentParameter(1, "Key", key);
                b.AddComponentParameter(2, "Title", key);
                b.AddComponentParameter(3, "ChildContent", (RenderFragment)(c => c.AddContent(0, "content of " + key)));
                b.CloseComponent();
            }
        };
        var page = Render<UrlTabs>(p => p.Add(t => t.ChildContent, tabs));
        Assert.Equal("content of good", page.Find("[role=tabpanel]").TextContent);
        Services.GetRequiredService<NavigationManager>().NavigateTo("/?tab=from");
        page.WaitForAssertion(() => Assert.Equal("content of from", page.Find("[role=tabpanel]").TextContent));
    }

    [Fact]
    public void Log_FindsLines_AndSaysHowMany()
    {
        var page = Render<LogTail>(p => p.Add(l => l.Lines, ["loading", "step 1", "step 2"]));
        page.Find("input[type=search]").Input("STEP");
        Assert.Contains("2 of 3 lines", page.Markup);
    }

    [Fact]
    public void Progress_SaysHowLongItStillTakes()
    {
        var text = Render<ProgressLine>(p => p.Add(l => l.Done, 1290).Add(l => l.Total, 3000).Add(l => l.Unit, "steps").Add(l => l.Rate, 41.5)).Markup;
        Assert.Contains("41.5 steps/s", text);
        Assert.Contains("41 s left", text);
        Assert.Contains("aria-valuenow=\"43\"", text);
    }

    [Fact]
    public void Diagram_SendsOnlyStagesThatChanged()
    {
        var bundle = JSInterop.SetupModule("./js/pipeline-diagram.js");
        var drawn = bundle.SetupModule(i => i.Identifier == "create");
        drawn.Mode = JSRuntimeMode.Loose;
        DiagramModel Model(string state) => new([new("a", "a", "data") { State = "Succeeded" }, new("b", "b", "train") { State = state }], [new("a", "b")]);
        var page = Render<PipelineDiagram>(p => p.Add(d => d.Model, Model("Queued")));
        page.Render(p => p.Add(d => d.Model, Model("Running")));
        var update = Assert.Single(drawn.Invocations, i => i.Identifier == "update");
        Assert.Single((object[])update.Arguments[0]!);
        Assert.DoesNotContain(drawn.Invocations, i => i.Identifier == "load");
    }
}

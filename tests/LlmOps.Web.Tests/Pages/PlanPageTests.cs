using Bunit;
using LlmOps.Lifecycle.Planning;
using LlmOps.Web.Components.Pages.Planning;

namespace LlmOps.Web.Tests.Pages;

public sealed class PlanPageTests : RecordPages
{
    [Fact]
    public void AnEmptyProduct_PlansAPublishedModel_OnAKnownMachine()
    {
        var page = Open<PlanPage>(Product.Victor, "/plan");
        page.WaitForAssertion(() => Assert.Equal("Single user, quantized on a processor: int4-block32 on cpu-desktop-8, one sequence at a time.", page.Find(".verdict-line").TextContent));
        Assert.Equal(6, page.FindAll(".planner-answer tbody")[0].ChildElementCount);
        Assert.Equal("int4-block32 recommended", page.Find(".is-recommended th").TextContent);
        Assert.Contains("fp32 does not fit", page.Find(".plan-reasons").TextContent, StringComparison.Ordinal);
        Assert.True(Button(page, "Measure this server").HasAttribute("disabled"));   // a viewer
        Assert.Contains("llmops plan llama-3.1-8b --hardware cpu-desktop-8", page.Find(".command-line").TextContent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AChange_GoesIntoTheAddress_AndTheAnswerFollows()
    {
        var page = Open<PlanPage>(Product.Victor, "/plan?model=llama-3.1-8b&hardware=h100-80gb");
        page.WaitForAssertion(() => Assert.StartsWith("Data centre, uncompressed: bf16", page.Find(".verdict-line").TextContent, StringComparison.Ordinal));
        await page.FindAll("select")[1].ChangeAsync("t4");
        Assert.EndsWith("/plan?model=llama-3.1-8b&hardware=t4", Address, StringComparison.Ordinal);
        page.WaitForAssertion(() => Assert.StartsWith("Graphics processor, 8-bit weights: int8", page.Find(".verdict-line").TextContent, StringComparison.Ordinal));
        await page.Find("input[placeholder='1']").ChangeAsync("400");
        Assert.EndsWith("&users=400", Address, StringComparison.Ordinal);
        page.WaitForAssertion(() => Assert.StartsWith("Nothing fits on t4 for 400 users", page.Find(".verdict-line").TextContent, StringComparison.Ordinal));
    }

    [Fact]
    public async Task SizesOfOnesOwn_BeginWithThoseOnShow()
    {
        var page = Open<PlanPage>(Product.Victor, "/plan?model=smollm2-135m&hardware=l4");
        page.WaitForElement(".verdict-line");
        await page.FindAll("select")[0].ChangeAsync("own");
        Assert.Contains("layers=30&hidden_size=576", Address, StringComparison.Ordinal);
        page.WaitForAssertion(() => Assert.Contains("30 layers, width 576", page.Find(".planner-form .help").TextContent, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/plan?model=llama-3.1-8b&hardware=l4&context=999999", "llama-3.1-8b has room for 131072")]
    [InlineData("/plan?model=llama-3.1-8b&hardware=abacus", "'abacus' is no known machine")]
    [InlineData("/plan?model=llama-3.1-8b&hardware=l4&users=many", "users is 'many'; a whole number is expected.")]
    [InlineData("/plan?version=nobody/1&hardware=l4", "Model version 'nobody/1' does not exist")]
    public void AQuestionThatCannotBeAnswered_IsALineBesideTheForm(string address, string text)
    {
        var page = Open<PlanPage>(Product.Victor, address);
        page.WaitForAssertion(() => Assert.Contains(text, page.Find(".empty").TextContent, StringComparison.Ordinal));
        Assert.NotNull(page.Find(".planner-form"));
    }

    [Fact]
    public async Task AMeasuredVersion_ShowsPredictionsBesideMeasurements()
    {
        var version = await Product.ShapedVersionAsync("shaped", ("fp32", "fp32", 450_000), ("int8", "int8", 140_000), ("mystery", "ternary", 10));
        await Product.EvaluationAsync(version.Id, "fp32", new Dictionary<string, double[]> { ["memory"] = [90e6, 92e6], ["prefill"] = [1000, 1100], ["decode"] = [500, 520] });
        await Product.EvaluationAsync(version.Id, "mystery", new Dictionary<string, double[]> { ["memory"] = [90e6] });
        var page = Open<PlanPage>(Product.Alice, "/plan?version=shaped/1&hardware=cpu-desktop-8&context=64&prompt=32");
        page.WaitForAssertion(() => Assert.Equal(["size", "peak memory"], Quantities(page)));
        Assert.DoesNotContain("mystery", page.Find(".planner-answer").TextContent, StringComparison.Ordinal);

        // Measured, the machine has rates, and those of the evaluation can stand beside them.
        await Button(page, "Measure this server").ClickAsync();
        page.WaitForAssertion(() => Assert.Equal(["size", "peak memory", "prefill", "decode"], Quantities(page)), TimeSpan.FromSeconds(30));
        Assert.Contains("hardware=this-machine", Address, StringComparison.Ordinal);
        Assert.NotNull(await Product.Get<MeasureMachine>().FindAsync());
    }

    private static IEnumerable<string> Quantities(IRenderedComponent<PlanPage> page) => page.FindAll("[aria-label='Predicted and measured'] thead th").Select(c => c.ChildNodes[0].TextContent.Trim()).Where(t => t is not ("Variant" or "Evaluation"));
}

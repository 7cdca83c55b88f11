using Bunit;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using LlmOps.Web.Components.Pages.Datasets;
using LlmOps.Web.Components.Pages.Experiments;
using LlmOps.Web.Components.Pages.Home;
using LlmOps.Web.Components.Pages.Models;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components.Forms;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Pages;

public sealed class RecordPageTests : RecordPages
{
    [Fact]
    public void Home_OfAnEmptyProduct_SaysWhatToDo()
    {
        var page = Open<HomePage>(Product.Alice);
        page.WaitForAssertion(() => Assert.Contains("Nothing has run here yet", page.Markup, StringComparison.Ordinal));
        Assert.Contains("llmops quickstart", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Home_OffersTheDecision_OnlyToWhoMayMakeIt()
    {
        var lived = await LivedIn.MakeAsync(Product);
        var link = $"a.button[href='/approvals/{lived.Waiting.Id}']";
        Open<HomePage>(Product.Rosa).WaitForElement(link);
        var asker = Open<HomePage>(Product.Alice);
        asker.WaitForElement(".work-list");
        Assert.Empty(asker.FindAll(link));
        Assert.Contains("row 3 is no JSON", asker.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_AreListed_WithTheirAliases()
    {
        await LivedIn.MakeAsync(Product);
        var page = Open<ModelList>(Product.Victor);
        page.WaitForAssertion(() => Assert.Equal("/models/tiny-lm", page.Find("[data-row-link]").GetAttribute("href")));
        Assert.Contains("production", page.Find(".alias").TextContent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Model_IsDescribed_AndAViewerMayNot()
    {
        await LivedIn.MakeAsync(Product);
        var viewer = Open<ModelPage>(Product.Victor, "/models/tiny-lm?tab=about", p => p.Add(x => x.Name, "tiny-lm"));
        viewer.WaitForElement(".action");
        Assert.True(Button(viewer, "Describe it").HasAttribute("disabled"));
        var page = Open<ModelPage>(Product.Alice, "/models/tiny-lm?tab=about", p => p.Add(x => x.Name, "tiny-lm"));
        page.WaitForElement(".action");
        await Button(page, "Describe it").ClickAsync();
        page.Find("textarea").Input("Defines animals.");
        await Button(page, "Save").ClickAsync();
        page.WaitForAssertion(() => Assert.Contains("Defines animals.", page.Find(".markdown").TextContent, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Version_SaysHowItComparesWithTheChampion_AndAsksForPromotion()
    {
        var lived = await LivedIn.MakeAsync(Product);
        var page = Open<VersionPage>(Product.Alice, "/models/tiny-lm/2", p => p.Add(x => x.Name, "tiny-lm").Add(x => x.Number, 2));
        page.WaitForAssertion(() => Assert.Contains("int8 against production (tiny-lm/1:int8): better in", page.Find(".verdict-line").TextContent, StringComparison.Ordinal), TimeSpan.FromSeconds(20));
        Assert.Contains("preference.accuracy >= 0.5", page.Find(".reasons code").TextContent, StringComparison.Ordinal);
        await Button(page, "Request promotion…").ClickAsync();
        page.WaitForElement("dialog select");
        await page.FindAll("dialog button").First(b => b.TextContent.Trim() == "Request promotion").ClickAsync();
        page.WaitForAssertion(() => Assert.Contains("/approvals/", Address, StringComparison.Ordinal));
        Assert.DoesNotContain(lived.Waiting.Id.ToString(), Address, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "There is no variant yet")]
    [InlineData(1, "int8 is the only variant that was measured.")]
    [InlineData(9, "int8 beats every other variant in quality, speed and size together.")]
    public async Task Variants_OfAVersion_AreCompared_HoweverManyThereAre(int count, string text)
    {
        var names = Enumerable.Range(0, count).Select(i => i == 0 ? "int8" : $"v{i}").ToList();
        var version = await Product.ShapedVersionAsync("shaped", [.. names.Select((n, i) => (n, "int8", 1000 + 100 * i))]);
        foreach (var (i, name) in names.Index())
            await Product.EvaluationAsync(version.Id, name, new Dictionary<string, double[]> { ["corpus"] = [1.8 + 0.01 * i, 1.82 + 0.01 * i], ["latency"] = [20 + i, 21 + i] });
        var page = Open<VersionPage>(Product.Victor, "/models/shaped/1?tab=variants", p => p.Add(x => x.Name, "shaped").Add(x => x.Number, 1));
        page.WaitForAssertion(() => Assert.Contains(text, page.Find("[role=tabpanel]").TextContent, StringComparison.Ordinal), TimeSpan.FromSeconds(20));
        Assert.Equal(count > 1 ? 2 : 0, page.FindComponents<EChart>().Count);
        Assert.Equal(count, page.FindAll(".variants tbody tr").Count);
        Assert.DoesNotContain("Choose this variant", page.Markup, StringComparison.Ordinal);    // a viewer asks for no promotion
    }

    [Fact]
    public async Task ChoosingAVariant_LeadsToTheRequestOfItsPromotion()
    {
        var version = await Product.ShapedVersionAsync("shaped", ("fp32", "fp32", 4000), ("int4", "int4", 1000));
        await Product.EvaluationAsync(version.Id, "fp32", new Dictionary<string, double[]> { ["corpus"] = [1.8, 1.9], ["latency"] = [20, 21], ["decode"] = [50, 51] });
        await Product.EvaluationAsync(version.Id, "int4", new Dictionary<string, double[]> { ["corpus"] = [1.9, 2.0], ["latency"] = [20, 21], ["decode"] = [40, 41] });
        var page = Open<VersionPage>(Product.Alice, "/models/shaped/1?tab=variants", p => p.Add(x => x.Name, "shaped").Add(x => x.Number, 1));
        page.WaitForElement(".variants");
        await page.Find("select[class=input]").ChangeAsync("corpus.bits_per_byte");
        await page.FindAll(".filter-bar select")[1].ChangeAsync("decode.tokens_per_second");
        Assert.Contains("speed=decode.tokens_per_second", Address, StringComparison.Ordinal);
        await page.FindAll(".variants button").First(b => b.ParentElement!.ParentElement!.ParentElement!.TextContent.Contains("int4", StringComparison.Ordinal)).ClickAsync();
        page.WaitForAssertion(() => Assert.Equal("int4", page.Find("dialog select").GetAttribute("value")));
        await page.FindAll("dialog button").First(b => b.TextContent.Trim() == "Request promotion").ClickAsync();
        page.WaitForAssertion(() => Assert.Contains("/approvals/", Address, StringComparison.Ordinal));
        Assert.Equal("int4", await Product.ReadAsync(db => db.Approvals.Select(a => a.VariantName).SingleAsync()));
    }

    [Fact]
    public async Task Variants_OfAModel_LeadToTheirVersion()
    {
        await LivedIn.MakeAsync(Product);
        var page = Open<ModelPage>(Product.Victor, "/models/tiny-lm?tab=variants", p => p.Add(x => x.Name, "tiny-lm"));
        page.WaitForAssertion(() => Assert.Equal("/models/tiny-lm/2?tab=variants", page.Find(".variants a.button").GetAttribute("href")));
    }

    [Theory]
    [InlineData("lineage", "facts/1")]
    [InlineData("serving", "assistant")]
    [InlineData("files", "content.txt")]
    [InlineData("card", "Results on held-out rows")]
    [InlineData("history", "Approved: int8 as production")]
    public async Task Version_AnswersEachOfItsQuestions(string tab, string text)
    {
        await LivedIn.MakeAsync(Product);
        var page = Open<VersionPage>(Product.Victor, $"/models/tiny-lm/1?tab={tab}", p => p.Add(x => x.Name, "tiny-lm").Add(x => x.Number, 1));
        page.WaitForAssertion(() => Assert.Contains(text, page.Find("[role=tabpanel]").TextContent, StringComparison.Ordinal), TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Import_SaysWhichLinesAreBad_AndStoresNothing_UntilTheyAreSetAside()
    {
        var page = Open<DatasetList>(Product.Alice, "/datasets");
        await Button(page, "Import…").ClickAsync();
        page.WaitForElement("dialog input").Input("animals");
        var rows = "{\"prompt\":\"Define dog.\",\"completion\":\"an animal\"}\n{broken\n";
        page.FindComponent<InputFile>().UploadFiles(InputFileContent.CreateFromText(rows, "rows.jsonl"));
        await page.FindAll("dialog .button-primary")[^1].ClickAsync();
        page.WaitForAssertion(() => Assert.Equal("2", page.Find(".bad-rows td.number").TextContent), TimeSpan.FromSeconds(10));
        Assert.Equal(0, await Product.ReadAsync(db => db.Datasets.CountAsync()));
        await page.FindAll("input[type=radio]")[1].ChangeAsync("on");
        await page.FindAll("dialog .button-primary")[^1].ClickAsync();
        page.WaitForAssertion(() => Assert.EndsWith("/datasets/animals/1", Address, StringComparison.Ordinal), TimeSpan.FromSeconds(10));
        Assert.Equal(1, await Product.ReadAsync(db => db.DatasetVersions.Select(v => v.QuarantinedRows).SingleAsync()));
    }

    [Fact]
    public async Task Dataset_ShowsOneRowInFull()
    {
        await Product.DatasetAsync("animals", DatasetKind.Preference, TestProduct.PreferenceRows(40));
        var page = Open<DatasetPage>(Product.Victor, "/datasets/animals/1?row=0", p => p.Add(x => x.Name, "animals").Add(x => x.Number, 1));
        page.WaitForAssertion(() => Assert.Contains("A living thing.", page.Find(".row-detail").TextContent, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Preference_IsStoredInTheRowsOwnTerms_AndUndone()
    {
        var version = await Product.DatasetAsync("animals", DatasetKind.Preference, TestProduct.PreferenceRows(40));
        var page = Open<PreferPage>(Product.Alice, "/datasets/animals/1/prefer", p => p.Add(x => x.Name, "animals").Add(x => x.Number, 1));
        page.WaitForElement(".prefer-answer");
        var left = page.Find(".prefer-answer span").TextContent;
        await page.Find(".prefer").KeyDownAsync("1");
        page.WaitForAssertion(() => Assert.StartsWith("1 of", page.Find(".prefer-edge .number").TextContent, StringComparison.Ordinal));
        Assert.Equal(left == "A living thing." ? "chosen" : "rejected", await Product.ReadAsync(db => db.Annotations.Where(a => a.DatasetVersionId == version.Id && a.Row == 0).Select(a => a.Preferred).SingleAsync()));
        await page.Find(".prefer").KeyDownAsync("u");
        page.WaitForAssertion(() => Assert.StartsWith("0 of", page.Find(".prefer-edge .number").TextContent, StringComparison.Ordinal));
        Assert.Equal(0, await Product.ReadAsync(db => db.Annotations.CountAsync()));
    }

    [Fact]
    public async Task Runs_AreChosenAndCompared()
    {
        var (first, second) = (await RunAsync("base", "0.001"), await RunAsync("slow", "0.0001"));
        var page = Open<ExperimentPage>(Product.Victor, "/experiments/words", p => p.Add(x => x.Name, "words"));
        page.WaitForAssertion(() => Assert.Equal(2, page.FindAll("tr[data-row] input").Count));
        await page.FindAll("tr[data-row] input")[0].ChangeAsync(true);
        await page.FindAll("tr[data-row] input")[1].ChangeAsync(true);
        await Button(page, "Compare").ClickAsync();
        Assert.Contains("/runs/compare?ids=", Address, StringComparison.Ordinal);
        var compared = Open<ComparePage>(Product.Victor, $"/runs/compare?ids={first},{second}");
        compared.WaitForAssertion(() => Assert.Contains("1 parameter differs.", compared.Find(".verdict-line").TextContent, StringComparison.Ordinal));
        Assert.NotEmpty(compared.FindComponents<LiveCurve>());
    }

    [Fact]
    public async Task Runs_AreFoundByAnExpression_AndAWrongOneSaysWhatIsWrong()
    {
        var (_, slow) = (await RunAsync("base", "0.001"), await RunAsync("slow", "0.0001"));
        var found = Open<ExperimentPage>(Product.Victor, $"/experiments/words?q={Uri.EscapeDataString("params.learning_rate = '0.0001' AND metrics.loss < 1")}", p => p.Add(x => x.Name, "words"));
        found.WaitForAssertion(() => Assert.Equal($"/runs/{slow}", Assert.Single(found.FindAll("a[data-row-link]")).GetAttribute("href")));
        // 5 / 50 is the last loss of both
        var none = Open<ExperimentPage>(Product.Victor, $"/experiments/words?q={Uri.EscapeDataString("metrics.loss > 0.1")}", p => p.Add(x => x.Name, "words"));
        none.WaitForAssertion(() => Assert.Contains("No run matches", none.Markup, StringComparison.Ordinal));
        var wrong = Open<ExperimentPage>(Product.Victor, $"/experiments/words?q={Uri.EscapeDataString("metrics.loss >> 1")}", p => p.Add(x => x.Name, "words"));
        wrong.WaitForAssertion(() => Assert.Contains("The filter cannot be read", wrong.Markup, StringComparison.Ordinal));
        var name = Open<ExperimentPage>(Product.Victor, "/experiments/words?q=slo", p => p.Add(x => x.Name, "words"));
        name.WaitForAssertion(() => Assert.Single(name.FindAll("a[data-row-link]")));
    }

    [Fact]
    public async Task Run_ShowsACurveForEachGroupOfMetrics()
    {
        var id = await RunAsync("base", "0.001");
        var page = Open<RunPage>(Product.Victor, $"/runs/{id}", p => p.Add(x => x.Id, id));
        page.WaitForAssertion(() => Assert.Equal(["Loss", "Rewards"], page.FindComponents<LiveCurve>().Select(c => c.Instance.Title)));
        Assert.Equal(["rewards/chosen", "rewards/rejected"], page.FindComponents<LiveCurve>()[1].Instance.Series);
    }

    private async Task<Guid> RunAsync(string name, string learningRate)
    {
        var now = Product.Clock.GetUtcNow();
        await using var db = Product.Open();
        var run = await db.EnsureRunAsync("words", name, Guid.CreateVersion7(), "alice", new Dictionary<string, string> { ["learning_rate"] = learningRate, ["layers"] = "4" }, now, default);
        await db.SaveChangesAsync();
        await db.AddMetricsAsync(run.Id, [.. Enumerable.Range(1, 50).SelectMany(i => new MetricPoint[] { new("loss", i, 5.0 / i), new("rewards/chosen", i, i), new("rewards/rejected", i, -i) })], now, default);
        await db.SaveChangesAsync();
        return run.Id;
    }
}

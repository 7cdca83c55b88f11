using Bunit;
using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Optimization;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.Quantization.Search;
using LlmOps.Lifecycle.Data;
using LlmOps.Web.Components.Pages.Models;
using LlmOps.Web.Tests.Components;
using LlmOps.Worker.Handlers;

namespace LlmOps.Web.Tests.Pages;

/// <summary>Reports of a version and its variants, stored as the stages store them.</summary>
public sealed class VariantReportTests : InterfaceContext
{
    private static readonly ComparisonReport Comparison = new(40, 3120, new(0.0123, 0.0101, 0.0149, 40), 0.0031, 0.182, new(0.931, 0.92, 0.941, 40), -0.004, 0.03,
        new(1.1, 1.05, 1.15, 40), new(1.112, 1.06, 1.16, 40), new(0.012, 0.010, 0.014, 40), 9.1, 9.3, 16_000_000, 4_000_000);

    private static readonly QuantizationReport Quantization = new(14, 1, 16_000_000, 4_000_000, 0.04, 0.95, ["The head stays at 8 bits."], true)
    {
        CalibrationSha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Seconds = 2.5,
        Layers = [new("/layers.0/q/MatMul", 4, "awq", 0.5, new Dictionary<string, double> { ["rtn"] = 0.08, ["awq"] = 0.05 }), new("/head/MatMul", 8, "rtn", null, new Dictionary<string, double>())],
    };

    [Fact]
    public void Parity_SaysFirstWhatItMeans_ThenEveryComparison()
    {
        var report = new ParityReport(true, 3.1e-6, 2e-7, 1, 8, 8, [new("prefill 17", 3.1e-6, 1e-4, 2e-7, 1, true), new("decode 17", 2e-6, 1e-4, 1e-7, 1, true)], []);
        var view = Render<ParityReportView>(p => p.Add(x => x.Json, Json.Write(report)));
        Assert.Contains("Computes what the checkpoint computes: no logit of a prefill differs by more than 3.1e-6", view.Find(".verdict-line").TextContent, StringComparison.Ordinal);
        Assert.Equal(3, view.FindAll(".parity-cases tbody tr").Count);
        Assert.Contains("8 equal of 8 prompts", view.Markup, StringComparison.Ordinal);
        Assert.Empty(view.FindAll(".parity-layers"));
    }

    [Fact]
    public void Parity_ThatFailed_NamesTheFirstPlaceThatDiffers()
    {
        var report = new ParityReport(false, double.NaN, 0.2, 0.99987, 8, 3, [new("prefill 17", double.NaN, 1e-4, 0.2, 0.99987, false)], ["prefill 17: logits are not finite."])
        {
            FirstBadLayer = "layer 3 attention", Layers = [new("embedding", 0), new("layer 3 attention", 0.02)],
        };
        var view = Render<ParityReportView>(p => p.Add(x => x.Json, Json.Write(report)));
        Assert.Contains("first differs after layer 3 attention", view.Find(".verdict-line").TextContent, StringComparison.Ordinal);
        Assert.Contains("99.98 %", view.Find(".parity-cases").TextContent, StringComparison.Ordinal);
        Assert.Contains("first that differs", view.FindAll(".parity-layers tbody tr")[1].TextContent, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void Parity_OfAVersionThatWasNotExported_SaysWhatWouldMakeIt(string? json) =>
        Assert.Contains("Not exported yet", Render<ParityReportView>(p => p.Add(x => x.Json, json)).Markup, StringComparison.Ordinal);

    [Fact]
    public void AQuantizedVariant_SaysWhatItCosts_WithIntervalsAndLayers()
    {
        QuantizationPass pass = new CalibratedBlockwise();
        var view = Variant(Json.Write(new { pass, report = Quantization, comparison = Comparison }));
        var verdict = view.Find(".verdict-line").TextContent;
        Assert.Contains("25.0 % of the bytes of fp32", verdict, StringComparison.Ordinal);
        Assert.Contains("bits per byte change by +0.012 (+1.09 %): worse, and the interval excludes zero", verdict, StringComparison.Ordinal);
        Assert.Contains(view.FindAll(".quantization tbody tr"), r => r.TextContent.Contains("99 % KLD", StringComparison.Ordinal) && r.TextContent.Contains("0.182", StringComparison.Ordinal));
        Assert.Contains("The head stays at 8 bits.", view.Markup, StringComparison.Ordinal);
        Assert.Equal("0123456789ab", view.Find(".short-id code").TextContent);
        var layers = view.FindAll(".layer-choices tbody tr");
        Assert.Contains("5.00 %", layers[0].TextContent, StringComparison.Ordinal);
        Assert.Contains("8.00 %", layers[0].TextContent, StringComparison.Ordinal);
        Assert.Empty(view.FindAll(".candidates"));
    }

    [Fact]
    public void AVariantThatASearchFound_ShowsEveryCandidate_WithItsVerdict()
    {
        var search = new SearchSummary("smallest with at most 1 % more bits per byte", "RTN 4-bit", "Nothing smaller is left.", 61,
        [
            new("source", null, true, "", 16_000_000, new(0, 0, 0, 40), new(0, 0, 0, 40), [50, 52, 51], [900, 910, 905]),
            new("RTN 4-bit", GoalVerdict.Met, true, "", 4_000_000, Comparison.MeanKld, Comparison.DeltaBitsPerByte, [80, 82, 81], [700, 710, 705]),
            new("RTN 2-bit", GoalVerdict.Missed, false, "", 3_000_000, Comparison.MeanKld, Comparison.DeltaBitsPerByte, [90, 91, 92], [600, 610, 605]),
            new("int8", null, false, "left out: cannot be smaller", null, null, null, null, null),
        ]);
        var view = Variant(Json.Write(new { report = Quantization, comparison = Comparison, speed = new ProbeReport([10], [5], [700], [81], [20], [1e8], [5e7]), search }));
        var rows = view.FindAll(".candidates tbody tr");
        Assert.Equal(4, rows.Count);
        Assert.Contains("Met", rows[1].TextContent, StringComparison.Ordinal);
        Assert.Contains("81.0", rows[1].TextContent, StringComparison.Ordinal);
        Assert.Contains("Missed", rows[2].TextContent, StringComparison.Ordinal);
        Assert.Contains("not measured", rows[3].TextContent, StringComparison.Ordinal);
        Assert.Contains("3 measured of 4 in 1 min 1 s", view.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public void AnOptimisedVariant_ShowsWhereTheTimeGoes_BeforeAndAfter()
    {
        var optimization = new OptimizationReport(new("1.22", "CPUExecutionProvider", "Extended", ["avx2"]), 136, 92, 100, 100, 1e-6, 1e-7, 1.5, true);
        OpProfileReport Profile(double ms) => new(5, ms, 0.9 * ms, [new("MatMul", 14, 70, 3.6 * ms, 0.8), new("Softmax", 2, 10, 0.9 * ms, 0.2)],
            [.. Enumerable.Range(0, 10).Select(i => new NodeTime($"/layers.{i}/MatMul", "MatMul", 5, 0.3 * ms, 0.06))]);
        var view = Variant(Json.Write(new { optimization, start_up = new StartUpComparison(new(120, 110, 130, 5), new(80, 75, 85, 5), 0.67, 5), profile = new GraphProfiles(Profile(5), Profile(4), 32, 2) }));
        Assert.Contains("136 nodes became 92 at level Extended", view.Find(".verdict-line").TextContent, StringComparison.Ordinal);
        Assert.Contains("32 random tokens on 2 threads", view.Markup, StringComparison.Ordinal);
        Assert.Equal(2, view.FindAll(".profile-ops").Count);
        var hottest = view.FindAll(".profile-ops")[1].QuerySelectorAll("tbody tr")[0].TextContent;
        Assert.Contains("80.0 %", hottest, StringComparison.Ordinal);
        Assert.Contains("2.88", hottest, StringComparison.Ordinal); // 3.6 · 4 ms in 5 runs
        Assert.Equal(20, view.FindAll(".profile-nodes tbody tr").Count);
    }

    [Theory]
    [InlineData("", "No report is stored for this variant.")]
    [InlineData("""{"report":[1,2]}""", "1, 2")]
    [InlineData("""{"note":"made by hand"}""", "made by hand")]
    public void AReportOfAnotherShape_IsShownAsItIs(string json, string text)
    {
        var view = Variant(json);
        Assert.Contains(text, view.Markup, StringComparison.Ordinal);
        Assert.Empty(view.FindAll(".verdict-line"));
    }

    [Fact]
    public void AnOptimisedVariant_WithoutProfile_SaysHowToGetOne() =>
        Assert.Contains("No profile is stored", Variant("""{"optimization":{"nodes_before":10,"nodes_after":8}}""").Markup, StringComparison.Ordinal);

    private IRenderedComponent<VariantReportView> Variant(string json) => Render<VariantReportView>(p => p.Add(x => x.Json, json).Add(x => x.Source, "fp32"));
}

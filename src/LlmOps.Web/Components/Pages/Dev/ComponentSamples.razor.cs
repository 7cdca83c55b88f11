using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Dev;

/// <summary>All shared components on one page; only in Development and with <c>Dev:Components=true</c>. Every value is made up and says so.</summary>
public sealed partial class ComponentSamples
{
    private sealed record Sample(string Name, string State, double Loss, double[] Curve, long Bytes, long StartedMs, string Id);

    private readonly List<Sample> samples = [.. Enumerable.Range(0, 2000).Select(i => new Sample(
        $"sample-{i:0000}", i % 9 == 0 ? "Failed" : i % 5 == 0 ? "Running" : "Succeeded", 1 + Math.Abs(Math.Sin(i)), [.. Enumerable.Range(0, 24).Select(x => Math.Exp(-x / 9.0) + 0.06 * Math.Sin(x * i + x))],
        1_000_000 + i * 7919L, DateTimeOffset.UtcNow.AddMinutes(-i * 7).ToUnixTimeMilliseconds(), $"{i * 2654435761L:x16}"))];

    private readonly List<string> log = [.. Enumerable.Range(1, 3000).Select(i => i % 97 == 0 ? $"WARN sample {i}: gradient norm above 1" : i == 2998 ? "ERROR sample: this line shows the colour" : $"step {i} sample loss {4 / Math.Sqrt(i):0.0000}")];

    private readonly IReadOnlyList<ParameterField> fields =
    [
        new("learning_rate", ParameterKind.Number) { Label = "Learning rate", Default = "0.001", Min = 1e-6, Max = 0.1, Help = "Peak of the schedule." },
        new("steps", ParameterKind.Integer) { Label = "Steps", Unit = "optimizer steps", Default = "600", Min = 1, Max = 100000, Required = true },
        new("level", ParameterKind.Choice) { Label = "Level", Default = "Extended", Allowed = ["Basic", "Extended", "All"] },
        new("per_channel", ParameterKind.Boolean) { Label = "Per channel", Default = "true", Help = "One scale per output channel." },
        new("notes", ParameterKind.Multiline) { Label = "Notes" },
    ];

    private readonly object pareto = new
    {
        grid = new { left = 56, right = 16, top = 32, bottom = 48 }, tooltip = new { }, legend = new { top = 0 },
        xAxis = new { name = "sample size, MiB", nameLocation = "middle", nameGap = 28 }, yAxis = new { name = "sample bits/byte", scale = true },
        series = new object[] { new { type = "scatter", name = "fp32", data = new[] { new[] { 12.0, 1.84 } } }, new { type = "scatter", name = "int8", data = new[] { new[] { 4.2, 1.86 } } }, new { type = "scatter", name = "int4", data = new[] { new[] { 2.9, 1.93 } } } },
    };

    private readonly object forest = new
    {
        grid = new { left = 72, right = 16, top = 16, bottom = 40 }, tooltip = new { }, xAxis = new { scale = true }, yAxis = new { type = "category", data = new[] { "int4", "int8", "fp32" } },
        series = new object[] { new { type = "interval", name = "difference", data = new[] { new[] { 0, 0.02, 0.12, 0.07 }, [1, -0.01, 0.04, 0.015], [2, -0.02, 0.02, 0] } } },
    };

    private DiagramModel diagram = new(
        [
            new("import", "import-data", "data") { State = "Succeeded", Detail = "4 s" }, new("tokenizer", "train-tokenizer", "train") { State = "Succeeded", Detail = "2 s" },
            new("pretrain", "pretrain", "train") { State = "Running", Progress = 0.43, Detail = "step 1290 of 3000" }, new("align", "align", "train") { State = "Queued" },
            new("export", "export-onnx", "export") { State = "Pending" }, new("evaluate", "evaluate", "evaluate") { State = "Failed" }, new("approve", "approve", "gate") { State = "WaitingForApproval" },
        ],
        [new("import", "tokenizer"), new("tokenizer", "pretrain"), new("pretrain", "align"), new("align", "export"), new("import", "evaluate"), new("export", "approve"), new("evaluate", "approve")]);

    private ConfirmDialog confirm = null!;
    private IReadOnlyDictionary<string, string> values = new Dictionary<string, string> { ["steps"] = "1200" };
    private IReadOnlyCollection<string> selected = [];
    private string? stage = "pretrain";
    private int ticks;

    [Inject] private IWebHostEnvironment Host { get; set; } = null!;
    [Inject] private IConfiguration Configuration { get; set; } = null!;

    private bool IsShown => Host.IsDevelopment() && Configuration.GetValue("Dev:Components", false);

    private static Task<CurvePoints> CurveAsync(double? after, CancellationToken ct)
    {
        double[] x = [.. Enumerable.Range(1, 3000).Select(i => (double)i).Where(i => i > (after ?? 0))];
        return Task.FromResult(new CurvePoints(x, [.. x.Select(i => 1.5 + 4 / Math.Sqrt(i) + 0.05 * Math.Sin(i * 1.7))], [.. x.Select(i => i % 50 == 0 ? 1.6 + 4 / Math.Sqrt(i) : double.NaN)]));
    }

    private static Task WaitAsync() => Task.Delay(2000);

    private static Task RefuseAsync() => throw new ArgumentException("Sample refused: the name 'sample' is taken. Choose another one.");
}

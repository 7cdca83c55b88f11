using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Optimization;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Optimization;

public sealed class GraphOptimizationTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Run_KeepsTheLogits_AndSaysUnderWhichConditions()
    {
        var target = models.New();

        var report = new GraphOptimization().Run(models.TiedOnnx, target, ct: Ct);

        Assert.True(report.NodesAfter < report.NodesBefore, $"{report.NodesBefore} -> {report.NodesAfter}");
        Assert.InRange(report.MaxAbsDifference, 0, 1e-4);
        Assert.Equal(("Extended", "CPUExecutionProvider"), (report.Record.Level, report.Record.Provider));
        var stored = OptimizationRecord.Find(target)!;
        Assert.Equal((report.Record.OnnxRuntime, report.Record.Level), (stored.OnnxRuntime, stored.Level));
        Assert.Equal(report.Record.CpuFeatures, stored.CpuFeatures);
        using var reference = new ReferenceLlama(models.Tied);
        var parity = new ParityCheck { Prompts = 2 }.Run(reference, target, 0, Ct);
        Assert.True(parity.Passed, string.Join("\n", parity.Failures));
    }

    [Fact]
    public void Load_RefusesAGraphThatWasBoundToAnotherProcessor()
    {
        var folder = models.Copy(models.TiedOnnx);
        File.WriteAllText(Path.Combine(folder, "optimization.json"), """{"OnnxRuntime":"1","Provider":"CPUExecutionProvider","Level":"Layout","CpuFeatures":["AMX-OF-TOMORROW"]}""");

        var error = Assert.Throws<InvalidModelException>(() => OnnxCausalModel.Load(folder));

        Assert.Contains("AMX-OF-TOMORROW", error.Message, StringComparison.Ordinal);
    }

    [Theory, InlineData("Fast"), InlineData("None")]
    public void Run_RefusesALevelThatIsNone(string level) =>
        Assert.Throws<ArgumentException>(() => new GraphOptimization(level).Run(models.TiedOnnx, models.New(), ct: Ct));
}

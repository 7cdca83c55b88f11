using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Optimization;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.Tests.Onnx;
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

    [Theory]
    [InlineData("Layout", true, "AMX-OF-TOMORROW", "AMX-OF-TOMORROW")]
    [InlineData("All", true, "AMX-OF-TOMORROW", "AMX-OF-TOMORROW")]
    [InlineData("Extended", true, "AMX-OF-TOMORROW", null)]
    [InlineData("Basic", false, null, "ONNX Runtime 0.0.1")]
    [InlineData("All", true, null, null)]
    public void Load_RefusesAGraphThatWasOptimisedUnderOtherConditions(string level, bool sameVersion, string? feature, string? reason)
    {
        var folder = models.Copy(models.TiedOnnx);
        var version = sameVersion ? Microsoft.ML.OnnxRuntime.OrtEnv.Instance().GetVersionString() : "0.0.1";
        new OptimizationRecord(version, "CPUExecutionProvider", level, feature is null ? CpuFeatures.Here : [feature]).Write(folder);

        if (reason is null)
        {
            OnnxCausalModel.Load(folder).Dispose();
            return;
        }
        var error = Assert.Throws<InvalidModelException>(() => OnnxCausalModel.Load(folder));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Contains("Rebuild it here", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void StorePrepacked_KeepsTheLogits_AndBindsTheFileToTheProcessor()
    {
        var (plain, target) = (models.New(), models.New());
        new GraphOptimization().Run(models.TiedOnnx, plain, ct: Ct);

        var report = new GraphOptimization { StorePrepacked = true }.Run(models.TiedOnnx, target, ct: Ct);

        Assert.InRange(report.MaxAbsDifference, 0, 1e-4);
        Assert.True(report.TargetBytes > OnnxModel.SizeBytes(plain) * 1.3, "the packed weights are not in the file");
        (report.Record with { CpuFeatures = ["AMX-OF-TOMORROW"] }).Write(target);
        Assert.Contains("AMX-OF-TOMORROW", Assert.Throws<InvalidModelException>(() => OnnxCausalModel.Load(target)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Conflict_NamesTheProvider() =>
        Assert.Contains("CUDAExecutionProvider", new OptimizationRecord(Microsoft.ML.OnnxRuntime.OrtEnv.Instance().GetVersionString(), "CPUExecutionProvider", "Basic", []).Conflict("CUDAExecutionProvider"), StringComparison.Ordinal);

    [Theory, InlineData("Basic"), InlineData("Extended"), InlineData("Layout"), InlineData("All")]
    public void Run_StoresEveryLevelForAnyGraph_AndItsVariantsKeepTheRecord(string level)
    {
        var model = TestGraph.Model([Nodes.Node("Conv", "c", ["x", "w"], ["h"]), Nodes.Node("Relu", "r", ["h"], ["p"]), Nodes.Node("Flatten", "f", ["p"], ["y"])],
            [Nodes.Value("x", ElementTypes.Float, 1, 16, 8, 8)], [Nodes.Value("y", ElementTypes.Float, 1, 576)], [TestGraph.RandomFloats("w", 1, 0.3, 16, 16, 3, 3)]);
        var target = models.New();

        var report = new GraphOptimization(level, new Dictionary<string, string> { ["optimization.enable_gelu_approximation"] = "1" }).Run(model.Write(Path.Combine(models.New(), "conv.onnx")), target, ct: Ct);

        Assert.InRange(report.RelativeL2, 0, 1e-5);
        Assert.True(report.FreshProcess);
        Assert.Equal("1", OptimizationRecord.Find(target)!.Options!["optimization.enable_gelu_approximation"]);
        if (level == "Basic")
        {
            var variant = models.New();
            new HalfPrecision().Run(target, variant, ct: Ct);
            Assert.Equal(level, OptimizationRecord.Find(variant)!.Level);
        }
    }

    [Theory, InlineData("Fast"), InlineData("None")]
    public void Run_RefusesALevelThatIsNone(string level) =>
        Assert.Throws<ArgumentException>(() => new GraphOptimization(level).Run(models.TiedOnnx, models.New(), ct: Ct));
}

using LlmOps.Engines.Onnx;
using LlmOps.Engines.Optimization;
using LlmOps.Engines.Tests.Onnx;
using static LlmOps.Engines.Onnx.Nodes;
using static LlmOps.Engines.Tests.Onnx.TestGraph;

namespace LlmOps.Engines.Tests.Optimization;

public sealed class OpProfileTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Run_AddsUpByOperatorAndNode_ForADecoder()
    {
        var report = new OpProfile(Runs: 3).Run(models.TiedOnnx, ct: Ct);

        var attention = report.ByOp.Single(o => o.OpType == "GroupQueryAttention");
        Assert.Equal((2, 6), (attention.Nodes, attention.Calls));
        Assert.Equal(1, report.ByOp.Sum(o => o.Share), 6);
        Assert.Equal(1, report.ByNode.Sum(n => n.Share), 6);
        Assert.Equal(report.ByOp.Select(o => o.TotalMs).OrderDescending(), report.ByOp.Select(o => o.TotalMs));
        Assert.True(report.RunMs >= report.KernelMs && report.KernelMs > 0);
        Assert.Contains("GroupQueryAttention x 2", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_FindsTheHotNodeOfAnyGraph()
    {
        var model = Model([Node("MatMul", "large", ["x", "w"], ["h"]), Node("MatMul", "small", ["h", "v"], ["y"])], [Value("x", ElementTypes.Float, 64, 512)], [Value("y", ElementTypes.Float, 64, 4)],
            [RandomFloats("w", 1, 1, 512, 512), RandomFloats("v", 2, 1, 512, 4)]);

        var report = new OpProfile(Runs: 3, new(Threads: 1)).Run(model.Write(Path.Combine(models.New(), "two products.onnx")), ct: Ct);

        Assert.Contains("large", report.ByNode[0].Name, StringComparison.Ordinal);
        Assert.True(report.ByNode[0].Share > 0.5);
        Assert.Empty(Directory.EnumerateFiles(Path.GetTempPath(), "llmops-profile-*"));
        Assert.Empty(Directory.EnumerateFiles(Environment.CurrentDirectory, "onnxruntime_profile*"));
    }
}

using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class BitPlanTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Overrides_ChooseTheBitsOfSingleNodes_TheFirstMatchWins()
    {
        var target = models.New();

        var report = new BlockwiseRtn { Overrides = [new("layers.0/mlp/down", 2), new("mlp/down|lm_head", 8), new("o_proj", 0)] }.Run(models.UntiedOnnx, target, ct: Ct);

        Assert.Equal((10, 2), (report.Quantized, report.Skipped));
        Assert.Contains(report.Notes, n => n.Contains("/model/layers.1/attn/o_proj", StringComparison.Ordinal) && n.Contains("'o_proj'", StringComparison.Ordinal));
        var bits = Bits(target);
        Assert.Equal((2, 8, 8, 4), (bits["/model/layers.0/mlp/down_proj/MatMul_Q2"], bits["/model/layers.1/mlp/down_proj/MatMul_Q8"], bits["/lm_head/MatMul_Q8"], bits["/model/layers.1/mlp/up_proj/MatMul_Q4"]));
        Assert.DoesNotContain(bits.Keys, name => name.Contains("o_proj", StringComparison.Ordinal));
    }

    [Fact]
    public void MixedLayers_KeepsSensitiveProjectionsAt8Bits()
    {
        var target = models.New();

        new BlockwiseRtn { MixedLayers = true }.Run(models.TiedOnnx, target, ct: Ct);

        // Of two layers the second is the last eighth.
        Assert.Equal(["/lm_head/MatMul_Q8", "/model/layers.1/attn/qkv_proj/MatMul_Q8", "/model/layers.1/mlp/down_proj/MatMul_Q8"],
            Bits(target).Where(n => n.Value == 8).Select(n => n.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Upgraded_IsTheFirstAndLastEighthAndEveryThirdBetween() =>
        Assert.Equal([0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31], Enumerable.Range(0, 32).Where(layer => BitPlan.Upgraded(layer, 32)));

    [Theory, InlineData("(", 4, "cannot be used as a pattern"), InlineData("o_proj", 3, "'o_proj' has 3 bits")]
    public void Overrides_AreRefusedBeforeAnyWork(string pattern, int bits, string reason)
    {
        var target = models.New();

        var error = Assert.Throws<ArgumentException>(() => new BlockwiseRtn { Overrides = [new(pattern, bits)] }.Run(models.TiedOnnx, target, ct: Ct));

        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target + ".partial"));
    }

    private static Dictionary<string, long> Bits(string folder)
    {
        using var model = OnnxModel.Load(folder);
        return model.Proto.Graph.Node.Where(n => n.OpType == "MatMulNBits").ToDictionary(n => n.Name, n => n.Integer("bits", 0));
    }
}

using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Optimization;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.Tests.Onnx;
using static LlmOps.Engines.Onnx.Nodes;
using static LlmOps.Engines.Tests.Onnx.TestGraph;

namespace LlmOps.Engines.Tests.Inference;

public sealed class ReloadCheckTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string Small(float scale, string name = "small.onnx") => Model(
        [Node("Mul", "scale", ["x", "s"], ["y"]), Node("Cast", "rounded", ["y"], ["n"], Attribute("to", ElementTypes.Int64))],
        [Value("x", ElementTypes.Float, "batch", "any", 3)], [Value("y", ElementTypes.Float, "batch", "any", 3), Value("n", ElementTypes.Int64, "batch", "any", 3)],
        [Floats("s", [3], _ => scale)]).Write(Path.Combine(models.New(), name));

    [Fact]
    public void Compare_RunsInAProcessOfItsOwn_ForDecodersAndForAnyGraph()
    {
        var decoder = ReloadCheck.Compare(models.TiedOnnx, models.TiedOnnx, new(), Ct);
        var graph = ReloadCheck.Compare(Small(2), Small(2.5f), new(), Ct);

        Assert.True(Probe.HasEntry && decoder.FreshProcess && graph.FreshProcess);
        Assert.Equal((0.0, 1.0, 128), (decoder.MaxAbs, decoder.ArgmaxAgreement, decoder.Rows));
        Assert.InRange(graph.RelativeL2, 0.2, 0.3);
        Assert.True(new DynamicInt8().Run(models.TiedOnnx, models.New(), ct: Ct).FreshProcess);
    }

    [Fact]
    public void Compare_UsesTheInputsThatAreGiven()
    {
        var sample = new[] { NamedTensor.Of("x", [1f, 2, 3], 1, 1, 3) };

        var difference = ReloadCheck.Compare(Small(2), Small(3), new(), Ct, [sample, sample]);

        // y: 1, 2, 3 and n: 1, 2, 3, twice.
        Assert.Equal((3.0, 4), (difference.MaxAbs, difference.Rows));
        Assert.Equal(0.5, difference.RelativeL2, 6);
    }

    [Fact]
    public void Compare_NamesTheOutput_WhenItIsNotFiniteOrNotThere()
    {
        var notFinite = Assert.Throws<InvalidModelException>(() => ReloadCheck.Compare(Small(2), Small(float.NaN), new(), Ct));
        Assert.Contains("'y'", notFinite.Message, StringComparison.Ordinal);

        var other = Model([Node("Relu", "r", ["x"], ["z"])], [Value("x", ElementTypes.Float, "batch", "any", 3)], [Value("z", ElementTypes.Float, "batch", "any", 3)]).Write(Path.Combine(models.New(), "other.onnx"));
        var missing = Assert.Throws<InvalidModelException>(() => ReloadCheck.Compare(Small(2), other, new(), Ct));
        Assert.Contains("no output 'y'", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_TellsTheProcessesOwnError_WhenTheResultDoesNotLoad()
    {
        var broken = Model([Node("NoSuchOp", "n", ["x"], ["y"])], [Value("x", ElementTypes.Float, 3)], [Value("y", ElementTypes.Float, 3)]).Write(Path.Combine(models.New(), "broken.onnx"));

        var error = Assert.Throws<InvalidModelException>(() => ReloadCheck.Compare(Small(2), broken, new(), Ct));

        Assert.Contains("NoSuchOp", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RandomInputs_FollowTypesNamesAndSizes()
    {
        var inputs = new RandomInputs(3, new Dictionary<string, long> { ["any"] = 5 }).Make(Small(1));
        Assert.Equal([1, 5, 3], inputs.Single().Shape);

        var decoder = new RandomInputs().Make(models.TiedOnnx);
        Assert.All(decoder.Single(t => t.Name == "attention_mask").Values<long>().ToArray(), v => Assert.Equal(1, v));
        Assert.True(decoder.Single(t => t.Name == "input_ids").Values<long>().ToArray().Distinct().Count() > 8);
        Assert.Equal([1, 2, 0, 16], decoder.Single(t => t.Name == "past_key_values.0.key").Shape);
        Assert.Equal(decoder.Select(t => t.Bytes), new RandomInputs().Make(models.TiedOnnx).Select(t => t.Bytes));
    }
}

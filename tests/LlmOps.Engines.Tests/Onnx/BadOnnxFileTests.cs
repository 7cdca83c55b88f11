using System.Globalization;
using Google.Protobuf;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using LlmOps.Engines.Quantization;
using static LlmOps.Engines.Onnx.Nodes;
using static LlmOps.Engines.Tests.Onnx.TestGraph;

namespace LlmOps.Engines.Tests.Onnx;

public sealed class BadOnnxFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private static ModelProto Good(long opset = 17) => Model(
        [Node("MatMul", "product", ["x", "w"], ["p"]), Node("Relu", "relu", ["p"], ["y"])],
        [Value("x", ElementTypes.Float, 4, 32)], [Value("y", ElementTypes.Float, 4, 16)], [RandomFloats("w", 1, 1, 32, 16)], opset);

    private string Refusal<T>(ModelProto model, string name = "m.onnx") where T : Exception => Refusal<T>(model.Write(folder.At(name)));

    private string Refusal<T>(string path) where T : Exception
    {
        var error = Assert.Throws<T>(() => OnnxFile.Open(path).Dispose());
        var target = folder.At("target");
        Assert.Throws<T>(() => new DynamicInt8().Run(path, target));
        Assert.False(Directory.Exists(target) || Directory.Exists($"{target}.partial"));
        return error.Message;
    }

    private static ModelProto With(Action<GraphProto> change)
    {
        var model = Good();
        change(model.Graph);
        return model;
    }

    public static TheoryData<string, string[]> Broken => new()
    {
        { "unknown input", ["'relu' (Relu)", "'nobody'", "nothing makes"] },
        { "made twice", ["'p' is made twice", "'again'"] },
        { "shadows an initializer", ["'w' is made twice"] },
        { "two initializers", ["two initializers", "'w'"] },
        { "two inputs", ["two inputs", "'x'"] },
        { "no output", ["nothing makes the output 'gone'"] },
        { "cycle", ["cycle", "'product'"] },
        { "cycle of one", ["cycle", "'relu'"] },
        { "too few bytes", ["'w'", "2048 bytes", "[32, 16]", "2044"] },
        { "negative dimension", ["'w'", "dimension -1"] },
        { "endless dimensions", ["'w'", "64-bit"] },
        { "body reads a stranger", ["'nobody'", "nothing makes", "'if' (If)"] },
        { "function reads a stranger", ["Function 'F'", "'nobody'"] },
        { "texts too few", ["'t'", "2 texts"] },
    };

    [Theory, MemberData(nameof(Broken))]
    public void Open_NamesWhatIsWrong(string kind, string[] parts)
    {
        var model = With(graph =>
        {
            var w = graph.Initializer[0];
            switch (kind)
            {
                case "unknown input": graph.Node[1].Input[0] = "nobody"; break;
                case "made twice": graph.Node.Add(Node("Relu", "again", ["x"], ["p"])); break;
                case "shadows an initializer": graph.Node.Add(Node("Relu", "again", ["x"], ["w"])); break;
                case "two initializers": graph.Initializer.Add(w.Clone()); break;
                case "two inputs": graph.Input.Add(graph.Input[0].Clone()); break;
                case "no output": graph.Output[0].Name = "gone"; break;
                case "cycle": graph.Node[0].Input[0] = "y"; break;
                case "cycle of one": graph.Node[1].Input[0] = "y"; break;
                case "too few bytes": w.RawData = ByteString.CopyFrom(w.RawData.Span[4..]); break;
                case "negative dimension": w.Dims[0] = -1; break;
                case "endless dimensions": w.Dims.AddRange([long.MaxValue, long.MaxValue]); break;
                case "body reads a stranger":
                    graph.Node.Add(new NodeProto { OpType = "If", Name = "if", Input = { "x" }, Output = { "z" }, Attribute = { new AttributeProto { Name = "then_branch", Type = 5, G = new GraphProto { Name = "inner", Output = { new ValueInfoProto { Name = "o" } }, Node = { Node("Relu", "inner", ["nobody"], ["o"]) } } } } });
                    break;
                case "texts too few": graph.Initializer.Add(new TensorProto { Name = "t", DataType = ElementTypes.String, Dims = { 2 }, StringData = { ByteString.Empty } }); break;
            }
        });
        if (kind == "function reads a stranger")
            model.Functions.Add(new FunctionProto { Name = "F", Domain = "d", Input = { "a" }, Output = { "b" }, Node = { Node("Add", "", ["a", "nobody"], ["b"]) } });

        var message = Refusal<InvalidModelException>(model);

        Assert.All(parts, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    [Theory, InlineData(8), InlineData(25)]
    public void Open_RefusesOtherOpsets(long opset) => Assert.Contains($"opset {opset}; 9 to 24", Refusal<UnsupportedModelException>(Good(opset)), StringComparison.Ordinal);

    [Fact]
    public void Open_RefusesAnUnknownElementType() =>
        Assert.Contains("'w' has ONNX element type 99", Refusal<UnsupportedModelException>(With(g => g.Initializer[0].DataType = 99)), StringComparison.Ordinal);

    [Theory]
    [InlineData("../w.bin", 0, 2048, "not a file name inside")]
    [InlineData("/etc/passwd", 0, 16, "not a file name inside")]
    [InlineData("sub/../../w.bin", 0, 2048, "not a file name inside")]
    [InlineData("..\\w.bin", 0, 2048, "not a file name inside")]
    [InlineData("", 0, 2048, "not a file name inside")]
    [InlineData("link.bin", 0, 2048, "link out of the model's folder")]
    [InlineData("linked/w.bin", 0, 2048, "link out of the model's folder")]
    [InlineData("missing.bin", 0, 2048, "which is missing")]
    [InlineData("empty.bin", 0, 2048, "which is empty")]
    [InlineData("w.bin", 1, 2048, "takes 2048 bytes from byte 1 of 'w.bin', which has 2048")]
    [InlineData("w.bin", long.MaxValue, 2048, "which has 2048")]
    [InlineData("w.bin", 0, 2047, "should have 2048 bytes")]
    [InlineData("w.bin", -1, 2048, "not a number")]
    public void Open_RefusesExternalDataThatIsNotThere(string location, long offset, long length, string reason)
    {
        Directory.CreateDirectory(folder.At("model/sub"));
        foreach (var place in new[] { "model/w.bin", "w.bin" })
            File.WriteAllBytes(folder.At(place), new byte[2048]);
        File.Create(folder.At("model/empty.bin")).Dispose();
        File.CreateSymbolicLink(folder.At("model/link.bin"), folder.At("w.bin"));
        File.CreateSymbolicLink(folder.At("model/linked"), folder.Root);
        var model = With(g =>
        {
            g.Initializer[0].ClearRawData();
            g.Initializer[0].DataLocation = 1;
            foreach (var (key, value) in new[] { ("location", location), ("offset", offset.ToString(CultureInfo.InvariantCulture)), ("length", length.ToString(CultureInfo.InvariantCulture)) })
                g.Initializer[0].ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
        });

        var message = Refusal<InvalidModelException>(model, "model/m.onnx");

        Assert.Contains("'w'", message, StringComparison.Ordinal);
        Assert.Contains(reason, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_RefusesNestingBombs()
    {
        foreach (var payload in new[] { 0, 5000 }) // small bodies are the parser's to refuse, large ones are walked before it
        {
            var body = new GraphProto { Name = "innermost", Node = { new NodeProto { OpType = "Constant", Output = { "o" }, Attribute = { new AttributeProto { Name = "s", S = ByteString.CopyFrom(new byte[payload]), Type = 3 } } } } };
            for (var depth = 0; depth < 60; depth++)
                body = new GraphProto { Name = "g", Node = { new NodeProto { OpType = "If", Input = { "x" }, Output = { "o" }, Attribute = { new AttributeProto { Name = "then_branch", Type = 5, G = body } } } } };
            var message = Refusal<InvalidModelException>(With(g => g.Node.Add(body.Node[0])));

            Assert.Contains("nest", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("", "NoSuchOp", "NoSuchOp")]
    [InlineData("com.nobody", "Thing", "com.nobody.Thing")]
    [InlineData("com.microsoft", "NotThere", "com.microsoft.NotThere")]
    public void EnsureRuns_NamesOperatorsThatTheRuntimeLacks(string domain, string op, string name)
    {
        var model = Model([Node(domain, op, "strange", ["x"], ["h"]), Node("Relu", "r", ["h"], ["m"]), Node(domain, $"{op}2", "other", ["m"], ["y"])],
            [Value("x", ElementTypes.Float, 2)], [Value("y", ElementTypes.Float, 2)], null, 17, ("com.nobody", 1), ("com.microsoft", 1));
        using var file = OnnxFile.Open(model.Write(folder.At("m.onnx")));

        Assert.Equal([name, $"{name}2"], file.Inspect().UnsupportedOperators);
        Assert.Contains(name, Assert.Throws<UnsupportedModelException>(file.EnsureRuns).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EnsureRuns_NamesTheNodeWithoutKernel()
    {
        var model = Model([Node("Sin", "sine of int", ["x"], ["y"])], [Value("x", ElementTypes.BFloat16, 2)], [Value("y", ElementTypes.BFloat16, 2)]);
        using var file = OnnxFile.Open(model.Write(folder.At("m.onnx")));

        Assert.Contains("sine of int", Assert.ThrowsAny<Exception>(file.EnsureRuns).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_KnowsOnlyItsOwnErrors_ForTruncatedAndMutatedFiles()
    {
        var model = With(g =>
        {
            g.Node.Add(new NodeProto { OpType = "Constant", Output = { "c" }, Attribute = { new AttributeProto { Name = "value", Type = 4, T = RandomFloats("", 5, 1, 300) } } });
            g.Node.Add(new NodeProto { OpType = "If", Input = { "x" }, Output = { "z" }, Attribute = { new AttributeProto { Name = "then_branch", Type = 5, G = new GraphProto { Name = "b", Output = { new ValueInfoProto { Name = "o" } }, Node = { Node("Relu", "", ["c"], ["o"]) } } } } });
            g.Initializer.Add(new TensorProto { Name = "i", DataType = ElementTypes.Int64, Dims = { 2, 2 }, Int64Data = { 1, 2, 3, 4 } });
            g.Initializer.Add(new TensorProto { Name = "t", DataType = ElementTypes.String, Dims = { 1 }, StringData = { ByteString.CopyFromUtf8("a") } });
        });
        var bytes = model.ToByteArray();
        var random = new Random(20);
        var path = folder.At("fuzz.onnx");
        var refused = 0;
        for (var round = 0; round < 1200; round++)
        {
            var mutated = (byte[])bytes.Clone();
            if (round % 3 == 0)
                mutated = mutated[..random.Next(mutated.Length)];
            else
                // Half of the changes hit the first part, where lengths and types are; the rest may hit weights, which any bytes can be.
                for (var n = random.Next(1, 6); n > 0; n--)
                    mutated[random.Next(round % 3 == 1 ? 200 : mutated.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, mutated);
            try
            {
                OnnxFile.Open(path).Dispose();
            }
            catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
            {
                refused++;
            }
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{refused} of 1200 refused");
        Assert.InRange(refused, 480, 1180);
    }

    public void Dispose() => folder.Dispose();
}

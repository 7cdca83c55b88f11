using System.Globalization;
using Google.Protobuf;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;
using static LlmOps.Engines.Tests.Onnx.TestGraph;

namespace LlmOps.Engines.Tests.Onnx;

public sealed class OnnxFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private static ModelProto Product() => Model(
        [Node("MatMul", "product", ["x", "w"], ["p"]), Node("Add", "bias", ["p", "b"], ["y"])],
        [Value("x", ElementTypes.Float, "batch", 32)], [Value("y", ElementTypes.Float, "batch", 16)],
        [RandomFloats("w", 1, 1, 32, 16), RandomFloats("b", 2, 1, 16)]);

    private static TensorProto External(string name, int type, long[] dims, string location, long offset, long length) => new()
    {
        Name = name, DataType = type, Dims = { dims }, DataLocation = 1,
        ExternalData =
        {
            new StringStringEntryProto { Key = "location", Value = location },
            new StringStringEntryProto { Key = "offset", Value = offset.ToString(CultureInfo.InvariantCulture) },
            new StringStringEntryProto { Key = "length", Value = length.ToString(CultureInfo.InvariantCulture) },
        },
    };

    private string At(string name) => folder.At(name);

    [Fact]
    public void Inspect_TellsWhatTheFileHolds()
    {
        var model = Product();
        model.MetadataProps.Add(new StringStringEntryProto { Key = "author", Value = "me" });
        using var file = OnnxFile.Open(model.Write(At("any name.bin")));

        var seen = file.Inspect();

        Assert.Equal(("any name.bin", 8L, "test", 17L, "me"), (seen.FileName, seen.IrVersion, seen.Producer, seen.Opsets["ai.onnx"], seen.Metadata["author"]));
        Assert.Equal(["batch", "32"], seen.Inputs.Single().Shape!);
        Assert.Equal(("y", "float32"), (seen.Outputs.Single().Name, seen.Outputs.Single().ElementType));
        Assert.Equal(new Dictionary<string, int> { ["MatMul"] = 1, ["Add"] = 1 }, seen.Nodes);
        Assert.Equal(new ParameterCount("float32", 2, 528, 2112), seen.Parameters.Single());
        Assert.Equal(new FileInfo(At("any name.bin")).Length, seen.SizeBytes);
        Assert.Null(seen.LoadError);
        Assert.Contains("2 nodes: 1 Add, 1 MatMul", seen.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Save_KeepsEveryFieldOfEveryType()
    {
        var model = Product();
        int[] types = [.. Enumerable.Range(1, 26)];
        foreach (var type in types)
        {
            var count = 600; // above and below the size from which bytes stay in the mapped file
            var typed = new TensorProto { Name = $"typed {type}", DataType = type, Dims = { 6 } };
            if (type == ElementTypes.String)
                typed.StringData.AddRange(Enumerable.Range(0, 6).Select(i => ByteString.CopyFrom((byte)i, 0xff)));
            else
            {
                model.Graph.Initializer.Add(new TensorProto { Name = $"raw {type}", DataType = type, Dims = { count }, RawData = ByteString.CopyFrom(Noise(type, (int)ElementTypes.Bytes(type, count))) });
                Fill(typed);
            }
            model.Graph.Initializer.Add(typed);
        }
        model.Graph.SparseInitializer.Add(new SparseTensorProto { Values = Floats("sparse", [2], i => i), Indices = new TensorProto { Name = "at", DataType = ElementTypes.Int64, Dims = { 2 }, Int64Data = { 1, 4 } }, Dims = { 8 } });
        model.Functions.Add(new FunctionProto { Name = "Twice", Domain = "mine", Input = { "a" }, Output = { "c" }, Node = { Node("Add", "", ["a", "a"], ["c"]) }, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } } });
        model.TrainingInfo.Add(new TrainingInfoProto { Algorithm = new GraphProto { Name = "training", Initializer = { RandomFloats("rate", 3, 1, 400) } } });
        model.Graph.Node.Add(new NodeProto { OpType = "If", Name = "branch", Input = { "typed 9" }, Output = { "chosen" }, Attribute = { Branch("then_branch", 5), Branch("else_branch", 6) } });
        // Fields that this library has no name for: a model's doc_string is 6, domain 4; 1000 is nobody's.
        var bytes = model.ToByteArray().Concat(new byte[] { 50, 3, (byte)'d', (byte)'o', (byte)'c', 0xc0, 0x3e, 7 }).ToArray();
        File.WriteAllBytes(At("all.onnx"), bytes);

        using (var file = OnnxFile.Open(At("all.onnx")))
            file.Save(At("copy.onnx"));

        var (before, after) = (ModelProto.Parser.ParseFrom(bytes), ModelProto.Parser.ParseFrom(File.ReadAllBytes(At("copy.onnx"))));
        Assert.Equal(before, after);
        Assert.Equal(before.ToByteArray(), after.ToByteArray());
        Assert.Equal(bytes.Length, new FileInfo(At("copy.onnx")).Length);
    }

    private static AttributeProto Branch(string name, int seed) => new()
    {
        Name = name, Type = 5,
        G = new GraphProto { Name = name, Output = { new ValueInfoProto { Name = $"{name} out" } }, Node = { new NodeProto { OpType = "Constant", Output = { $"{name} out" }, Attribute = { new AttributeProto { Name = "value", Type = 4, T = RandomFloats("", seed, 1, 500) } } } } },
    };

    private static byte[] Noise(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static void Fill(TensorProto typed)
    {
        switch (typed.DataType)
        {
            case ElementTypes.Float: typed.FloatData.AddRange([1, -2, float.NaN, float.PositiveInfinity, -0f, 1e-42f]); break;
            case ElementTypes.Complex64: typed.FloatData.AddRange(Enumerable.Range(0, 12).Select(i => (float)i)); break;
            case ElementTypes.Double: typed.DoubleData.AddRange([1, -2, double.NaN, 4, -0.0, 1e-310]); break;
            case ElementTypes.Complex128: typed.DoubleData.AddRange(Enumerable.Range(0, 12).Select(i => (double)i)); break;
            case ElementTypes.Int64: typed.Int64Data.AddRange([long.MinValue, -1, 0, 1, 2, long.MaxValue]); break;
            case ElementTypes.UInt64 or ElementTypes.UInt32: typed.Uint64Data.AddRange([0, 1, 2, 3, 4, uint.MaxValue]); break;
            default: typed.Int32Data.AddRange(Enumerable.Range(1, (int)ElementTypes.Bytes(typed.DataType, 6) / Math.Max(1, (int)ElementTypes.Bytes(typed.DataType, 1)))); break;
        }
    }

    [Fact]
    public void Save_GathersExternalFilesIntoOne_AndRunsTheSame()
    {
        var model = Product();
        byte[] w = model.Graph.Initializer[0].RawData.ToByteArray(), b = model.Graph.Initializer[1].RawData.ToByteArray();
        Directory.CreateDirectory(At("part/sub"));
        File.WriteAllBytes(At("part/w.bin"), [.. new byte[100], .. w]);
        File.WriteAllBytes(At("part/sub/b.bin"), b);
        model.Graph.Initializer.Clear();
        model.Graph.Initializer.Add(External("w", ElementTypes.Float, [32, 16], "w.bin", 100, w.Length));
        model.Graph.Initializer.Add(External("b", ElementTypes.Float, [16], "sub/b.bin", 0, b.Length));
        model.Graph.Initializer.Add(External("tied", ElementTypes.Float, [16, 32], "w.bin", 100, w.Length));
        model.Write(At("part/split.onnx"));
        var inputs = new RandomInputs(5).Make(At("part/split.onnx"));

        using var file = OnnxFile.Open(At("part/split.onnx"));
        file.Save(At("one/joined.onnx"));

        Assert.Equal(["sub/b.bin", "w.bin"], file.Inspect().ExternalFiles);
        using var copy = OnnxFile.Open(At("one/joined.onnx"));
        Assert.Equal(["joined.onnx.data"], copy.Inspect().ExternalFiles);
        Assert.Equal(["joined.onnx", "joined.onnx.data"], Directory.EnumerateFileSystemEntries(At("one")).Select(Path.GetFileName).Order());
        Assert.InRange(new FileInfo(At("one/joined.onnx.data")).Length, w.Length + b.Length, w.Length + b.Length + 4096); // tied bytes are written once
        using var before = file.OpenSession();
        using var after = copy.OpenSession();
        Assert.Equal(before.Run(inputs)[0].Values<float>().ToArray(), after.Run(inputs)[0].Values<float>().ToArray());
    }

    [Fact]
    public void Open_ReadsTensorsBeyondTwoGigabytes()
    {
        const long Far = 5L << 30;
        using (var data = File.Create(At("big.bin"))) // a file with a hole: it takes no room on the disk
        {
            data.Seek(Far, SeekOrigin.Begin);
            data.Write(BitConverter.GetBytes(42f));
        }
        var model = Model([Node("Mul", "m", ["x", "far"], ["y"])], [Value("x", ElementTypes.Float, 1)], [Value("y", ElementTypes.Float, 1)],
            [External("far", ElementTypes.Float, [1], "big.bin", Far, 4), External("wide", ElementTypes.UInt8, [Far], "big.bin", 0, Far)]);
        using var opened = OnnxModel.Load(model.Write(At("big.onnx")));

        GraphCheck.Ensure(opened);

        Assert.Equal(42f, opened.Float32(opened.Initializers["far"])[0]);
        Assert.Equal(Far, opened.ExternalRange(opened.Initializers["wide"]).Length);
        Assert.True(opened.SizeOnDisk() > Far);
    }

    [Fact]
    public void Save_LeavesNothing_WhenCancelled()
    {
        Directory.CreateDirectory(At("c"));
        File.WriteAllBytes(At("c/w.bin"), new byte[2048]);
        var model = Model([Node("Add", "a", ["x", "w"], ["y"])], [Value("x", ElementTypes.Float, 512)], [Value("y", ElementTypes.Float, 512)], [External("w", ElementTypes.Float, [512], "w.bin", 0, 2048)]);
        using var file = OnnxFile.Open(model.Write(At("c/m.onnx")));

        Assert.Throws<OperationCanceledException>(() => file.Save(At("d/m.onnx"), ct: new CancellationToken(true)));

        Assert.Empty(Directory.EnumerateFileSystemEntries(At("d")));
    }

    [Fact]
    public void Model_ThrowsInsteadOfReadingFreedMemory_WhenUsedAfterDispose()
    {
        var opened = OnnxModel.Load(Product().Write(At("p.onnx")));
        opened.Dispose();

        Assert.Throws<ObjectDisposedException>(() => opened.Bytes(opened.Initializers["w"]).Length);
    }

    public void Dispose() => folder.Dispose();
}

using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Tests.Onnx;

/// <summary>Small graphs, built by hand.</summary>
internal static class TestGraph
{
    public static ModelProto Model(IEnumerable<NodeProto> nodes, IEnumerable<ValueInfoProto> inputs, IEnumerable<ValueInfoProto> outputs, IEnumerable<TensorProto>? initializers = null,
        long opset = 17, params (string Domain, long Version)[] domains) => new()
        {
            IrVersion = 8,
            ProducerName = "test",
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = opset }, domains.Select(d => new OperatorSetIdProto { Domain = d.Domain, Version = d.Version }) },
            Graph = new GraphProto { Name = "g", Node = { nodes }, Input = { inputs }, Output = { outputs }, Initializer = { initializers ?? [] } },
        };

    public static TensorProto Floats(string name, long[] dims, Func<int, float> value)
    {
        var tensor = new TensorProto { Name = name, DataType = ElementTypes.Float, Dims = { dims } };
        var count = (int)dims.Aggregate(1L, (a, b) => a * b);
        tensor.RawData = Google.Protobuf.ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>([.. Enumerable.Range(0, count).Select(value)]));
        return tensor;
    }

    public static TensorProto RandomFloats(string name, int seed, double scale, params long[] dims)
    {
        var random = new Random(seed);
        return Floats(name, dims, _ => (float)(scale * (2 * random.NextDouble() - 1)));
    }

    public static string Write(this ModelProto model, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var stream = File.Create(path);
        using var coded = new Google.Protobuf.CodedOutputStream(stream);
        model.WriteTo(coded);
        return path;
    }
}

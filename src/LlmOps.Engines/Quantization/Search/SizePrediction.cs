using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Quantization.Search;

/// <summary>Bytes of a variant's tensors, from its options alone.</summary>
internal sealed class SizePrediction
{
    private readonly OnnxModel model;
    private readonly IReadOnlyList<WeightProduct> products;
    private readonly HashSet<string> tables;
    private readonly long others;

    public SizePrediction(OnnxModel model)
    {
        this.model = model;
        products = GraphRewrite.FindProducts(model);
        tables = [.. model.Proto.Graph.Node.Where(n => n.OpType == "Gather").Select(n => n.Input[0]).Where(model.Initializers.ContainsKey)];
        var matrices = products.Select(p => p.Weight.Name).Concat(tables.Where(IsMatrix)).ToHashSet();
        others = model.Proto.Graph.Initializer.Where(t => !matrices.Contains(t.Name)).Sum(FloatBytes);
    }

    public long Of(QuantizationPass pass) => pass switch
    {
        BlockwiseRtn rtn => Of(rtn),
        CalibratedBlockwise calibrated => Of(calibrated.Rounding),
        // A byte per weight; a tied head has a transposed copy of its table.
        DynamicInt8 or StaticQdq => others + products.Sum(p => (long)p.Inputs * p.Outputs) + tables.Where(IsMatrix).Sum(t => FloatBytes(model.Initializers[t]) / 4),
        HalfPrecision => Floats() / 2,
        _ => Floats(),
    };

    private long Floats() => model.Proto.Graph.Initializer.Sum(FloatBytes);

    private long Of(BlockwiseRtn rtn)
    {
        var plan = rtn.Plan(model, products);
        var seen = new HashSet<(string, int)>();
        var bytes = others;
        foreach (var product in products)
        {
            var bits = rtn.Exclude?.Excludes(product.Node) == true ? 0 : plan.Of(product).Bits;
            if (seen.Add((product.Weight.Name, bits)))
                bytes += bits == 0 ? FloatBytes(product.Weight) : rtn.Block(bits).Bytes(product.Outputs, product.Inputs);
        }
        foreach (var table in tables.Where(IsMatrix).Select(t => model.Initializers[t]))
            if (seen.Add((table.Name, rtn.HeadBits)))
                bytes += rtn.HeadBits is 4 or 8 ? rtn.Block(rtn.HeadBits).Bytes((int)table.Dims[0], (int)table.Dims[1]) : FloatBytes(table);
        return bytes;
    }

    private bool IsMatrix(string name) => model.Initializers[name] is { DataType: ElementTypes.Float, Dims.Count: 2 };

    private static long FloatBytes(TensorProto tensor) => ElementTypes.Bytes(tensor.DataType, tensor.Dims.Aggregate(1L, (a, b) => a * b));
}

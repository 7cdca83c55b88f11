using System.Runtime.InteropServices;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Inputs that a graph can be run with when nobody gives real ones: floats are normal with deviation 1, an index into a constant table is
/// within the table, a mask is all ones, positions count up, a past is empty. Random values are no data: ranges and errors found with
/// them say that a graph computes, not how good it is.
/// </summary>
/// <param name="Seed">The same seed gives the same values.</param>
/// <param name="Sizes">Sizes of free dimensions, by their name in the graph or as <c>input:axis</c>.</param>
/// <param name="FreeSize">Size of every other free dimension; the first axis of an input has size 1.</param>
public sealed record RandomInputs(int Seed = 0, IReadOnlyDictionary<string, long>? Sizes = null, int FreeSize = 16)
{
    /// <summary>Makes one set of inputs for a model.</summary>
    /// <param name="model">A folder with model.onnx, or any ONNX file.</param>
    /// <exception cref="UnsupportedModelException">An input is no tensor, or declares no shape.</exception>
    public IReadOnlyList<NamedTensor> Make(string model)
    {
        using var opened = OnnxModel.Load(model);
        return Make(opened.Proto, new Random(Seed));
    }

    internal IReadOnlyList<NamedTensor> Make(ModelProto model, Random random)
    {
        var initializers = model.Graph.Initializer.ToDictionary(t => t.Name);
        return [.. model.Graph.Input.Where(i => !initializers.ContainsKey(i.Name)).Select(input => One(model.Graph, initializers, input, random))];
    }

    private NamedTensor One(GraphProto graph, Dictionary<string, TensorProto> initializers, ValueInfoProto input, Random random)
    {
        if (input.Type?.TensorType is not { Shape: { } declared } type)
            throw new UnsupportedModelException($"Input '{input.Name}' is no tensor of a declared shape: give inputs.");
        var past = input.Name.StartsWith("past", StringComparison.Ordinal);
        long[] shape = [.. declared.Dim.Select((dim, axis) => Size(input.Name, dim, axis, past))];
        var count = shape.Aggregate(1L, (a, b) => checked(a * b));
        if (count > 1 << 28)
            throw new UnsupportedModelException($"Input '{input.Name}' has {count} values: give inputs.");
        // A limit below 2 would make every index the same.
        var limit = graph.AllNodes().Where(n => n.OpType is "Gather" or "GatherBlockQuantized" && n.Input.Count > 1 && n.Input[1] == input.Name)
            .Select(n => initializers.TryGetValue(n.Input[0], out var table) && table.Dims.Count > 0 ? table.Dims[0] : 0).Append(0).Max();
        if (type.ElemType == ElementTypes.String)
            return NamedTensor.OfTexts(input.Name, [.. Enumerable.Range(0, (int)count).Select(i => $"text {i}")], shape);
        var bytes = new byte[ElementTypes.Bytes(type.ElemType, count)];
        for (long i = 0; i < count; i++)
            Write(bytes, type.ElemType, i, Value(input.Name, type.ElemType, shape, i, limit, random));
        return new(input.Name, type.ElemType, shape, bytes);
    }

    private long Size(string input, Dimension dim, int axis, bool past) =>
        Sizes?.TryGetValue($"{input}:{axis}", out var own) == true ? own
        : dim.HasDimValue && dim.DimValue > 0 ? dim.DimValue
        : Sizes?.TryGetValue(dim.DimParam, out var named) == true ? named
        : axis == 0 || dim.DimParam.Contains("batch", StringComparison.OrdinalIgnoreCase) ? 1
        : past ? 0 : FreeSize;

    private static double Value(string name, int type, long[] shape, long at, long limit, Random random)
    {
        if (name.Contains("mask", StringComparison.OrdinalIgnoreCase))
            return 1;
        if (name.Contains("position", StringComparison.OrdinalIgnoreCase) && shape.Length > 0)
            return at % shape[^1];
        if (type is ElementTypes.Float or ElementTypes.Double or ElementTypes.Float16 or ElementTypes.BFloat16)
            return Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return random.NextInt64(type == ElementTypes.Bool || limit == 0 ? 2 : limit);
    }

    private static void Write(Span<byte> bytes, int type, long at, double value)
    {
        switch (type)
        {
            case ElementTypes.Float: MemoryMarshal.Cast<byte, float>(bytes)[(int)at] = (float)value; break;
            case ElementTypes.Double: MemoryMarshal.Cast<byte, double>(bytes)[(int)at] = value; break;
            case ElementTypes.Float16: MemoryMarshal.Cast<byte, Half>(bytes)[(int)at] = (Half)value; break;
            case ElementTypes.BFloat16: MemoryMarshal.Cast<byte, ushort>(bytes)[(int)at] = HalfFloats.ToBFloat16((float)value); break;
            case ElementTypes.Int64 or ElementTypes.UInt64: MemoryMarshal.Cast<byte, long>(bytes)[(int)at] = (long)value; break;
            case ElementTypes.Int32 or ElementTypes.UInt32: MemoryMarshal.Cast<byte, int>(bytes)[(int)at] = (int)value; break;
            case ElementTypes.Int16 or ElementTypes.UInt16: MemoryMarshal.Cast<byte, short>(bytes)[(int)at] = (short)value; break;
            case ElementTypes.UInt8 or ElementTypes.Int8 or ElementTypes.Bool: bytes[(int)at] = (byte)value; break;
            default: throw new UnsupportedModelException($"Random values of {ElementTypes.Name(type)} are not made here: give inputs.");
        }
    }
}

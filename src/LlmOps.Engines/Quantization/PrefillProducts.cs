using System.Runtime.InteropServices;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Turns the MatMulNBits of a graph into products of 8-bit integers. With levels q, zero points z and scales s of the blocks, a row's scale is
/// S = max over its blocks of |s| · max(z, 2^bits − 1 − z) / 127 and its weights are round((q − z) · s / S): finer than the levels they come from, except
/// for 8 bits, where blocks of small weights lose some of their precision.
/// </summary>
internal sealed class PrefillProducts(OnnxModel source, GraphProto graph, OnnxWriter writer)
{
    private readonly Dictionary<string, (string Integers, string Scale)> expanded = [];
    private readonly HashSet<string> activations = [];

    /// <summary>Products that were turned.</summary>
    public int Turned { get; private set; }

    /// <summary>Products that stay, and why.</summary>
    public List<string> Notes { get; } = [];

    public void Run(IProgress<double>? progress, CancellationToken ct)
    {
        var nodes = new List<NodeProto>();
        foreach (var (i, node) in graph.Node.Index())
        {
            ct.ThrowIfCancellationRequested();
            progress?.Report((i + 1.0) / graph.Node.Count);
            if (node.OpType == "MatMulNBits" && Obstacle(node) is { } obstacle)
                Notes.Add($"{node.Title()}: computes prompts as it computes single tokens, because {obstacle}.");
            if (node.OpType == "MatMulNBits" && Obstacle(node) is null)
                nodes.AddRange(Turn(node));
            else
                nodes.Add(node);
        }
        graph.Node.Clear();
        graph.Node.AddRange(nodes);
        var used = graph.AllNodes().SelectMany(n => n.Input).Concat(graph.Output.Select(o => o.Name)).ToHashSet();
        foreach (var unused in graph.Initializer.Where(t => !used.Contains(t.Name)).ToList())
            graph.Initializer.Remove(unused);
    }

    private string? Obstacle(NodeProto node) =>
        node.Input.Skip(4).Any(i => i.Length > 0) ? "it has a bias or an order of groups inside"
        : !node.Input.Skip(1).Where(i => i.Length > 0).All(source.Initializers.ContainsKey) ? "its weights are not constant"
        : source.Initializers[node.Input[2]].DataType != ElementTypes.Float ? "its scales are not 32-bit floats"
        : ZeroPoints(node) is { DataType: not ElementTypes.UInt8 } ? "its zero points are not integers"
        : null;

    private TensorProto? ZeroPoints(NodeProto node) => node.Input.Count > 3 && node.Input[3].Length > 0 ? source.Initializers[node.Input[3]] : null;

    private IEnumerable<NodeProto> Turn(NodeProto node)
    {
        Turned++;
        string input = node.Input[0], name = node.Name.Length > 0 ? node.Name : node.Output[0];
        if (!expanded.TryGetValue(node.Input[1], out var weight)) // several products may read one matrix
            expanded[node.Input[1]] = weight = Expand(node);
        if (activations.Add(input))
            yield return Node("DynamicQuantizeLinear", $"{input}/QuantizeLinear", [input], [$"{input}/quantized", $"{input}/scale", $"{input}/zero"]);
        yield return Node("MatMulInteger", $"{name}/MatMulInteger", [$"{input}/quantized", weight.Integers, $"{input}/zero", Zeros((int)node.Integer("N", 0))], [$"{name}/int32"]);
        yield return Node("Cast", $"{name}/Cast", [$"{name}/int32"], [$"{name}/float"], Attribute("to", ElementTypes.Float));
        yield return Node("Mul", $"{name}/Scale", [$"{input}/scale", weight.Scale], [$"{name}/scale"]);
        yield return Node("Mul", $"{name}/Mul", [$"{name}/float", $"{name}/scale"], [node.Output[0]]);
    }

    private (string Integers, string Scale) Expand(NodeProto node)
    {
        int inputs = (int)node.Integer("K", 0), outputs = (int)node.Integer("N", 0), bits = (int)node.Integer("bits", 4), block = (int)node.Integer("block_size", 32);
        int blocks = (inputs + block - 1) / block;
        var levels = source.Bytes(source.Initializers[node.Input[1]]).ToArray();
        var scales = MemoryMarshal.Cast<byte, float>(source.Bytes(source.Initializers[node.Input[2]])).ToArray();
        var zeros = ZeroPoints(node) is { } tensor ? source.Bytes(tensor).ToArray() : null;
        if (levels.Length != (long)outputs * blocks * block * bits / 8 || scales.Length != outputs * blocks)
            throw new InvalidModelException($"{node.Title()}: weights '{node.Input[1]}' and scales '{node.Input[2]}' do not have the sizes for K {inputs}, N {outputs}, {bits} bits and blocks of {block}.");
        var rows = new sbyte[(long)outputs * inputs];
        var steps = new float[outputs];
        Parallel.For(0, outputs, row => steps[row] = Row(row, new(levels, scales, zeros, bits, block, blocks), rows.AsSpan(row * inputs, inputs)));
        var columns = new sbyte[rows.Length];
        Matrix.Transpose<sbyte>(rows, outputs, inputs, columns, outputs);
        string integers = $"{node.Input[1]}/int8", scale = $"{node.Input[1]}/row_scale";
        graph.Initializer.Add(writer.Write<sbyte>(integers, ElementTypes.Int8, [inputs, outputs], columns));
        graph.Initializer.Add(writer.Write<float>(scale, ElementTypes.Float, [outputs], steps));
        return (integers, scale);
    }

    // ONNX Runtime fuses the product with its scaling only when the weights have zero points, even where they are 0.
    private string Zeros(int outputs) => writer.Constant<sbyte>(graph, $"/constants/INT8/zeros{outputs}", ElementTypes.Int8, [outputs], new sbyte[outputs]);

    private readonly record struct Packed(byte[] Levels, float[] Scales, byte[]? Zeros, int Bits, int Block, int Blocks)
    {
        public int Level(int row, int block, int i)
        {
            var bit = i * Bits;
            return Levels[((long)row * Blocks + block) * Block * Bits / 8 + bit / 8] >> (bit % 8) & ((1 << Bits) - 1);
        }

        // Each row of zero points starts at a byte.
        public int Zero(int row, int block) => Zeros is null ? 1 << (Bits - 1)
            : Zeros[row * ((Blocks * Bits + 7) / 8) + block * Bits / 8] >> (block * Bits % 8) & ((1 << Bits) - 1);
    }

    private static float Row(int row, Packed packed, Span<sbyte> target)
    {
        var top = (1 << packed.Bits) - 1;
        var widest = 0f;
        for (var b = 0; b < packed.Blocks; b++)
        {
            var zero = packed.Zero(row, b);
            widest = Math.Max(widest, Math.Abs(packed.Scales[row * packed.Blocks + b]) * Math.Max(zero, top - zero));
        }
        if (widest == 0)
            return 1;
        var step = widest / 127;
        Span<sbyte> table = stackalloc sbyte[1 << packed.Bits];
        for (var b = 0; b < packed.Blocks; b++)
        {
            var (zero, ratio) = (packed.Zero(row, b), packed.Scales[row * packed.Blocks + b] / step);
            for (var q = 0; q < table.Length; q++)
                table[q] = (sbyte)Math.Clamp(MathF.Round((q - zero) * ratio), -127, 127);
            var start = b * packed.Block;
            for (var i = 0; i < Math.Min(packed.Block, target.Length - start); i++)
                target[start + i] = table[packed.Level(row, b, i)];
        }
        return step;
    }
}

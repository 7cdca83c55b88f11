using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>Writes packed weights as com.microsoft.MatMulNBits products and GatherBlockQuantized lookups.</summary>
internal static class NBitsNodes
{
    public static string WeightName(WeightProduct product, int bits) => $"{product.Weight.Name}_Q{bits}";

    public static void ReplaceProduct(GraphRewrite rewrite, WeightProduct product, PackedBlocks packed, BlockRounding rounding, int accuracyLevel)
    {
        var (node, bits, name) = (product.Node, rounding.Bits, WeightName(product, rounding.Bits));
        List<string> inputs =
        [
            node.Input[0],
            AddValues(rewrite, name, packed, rounding),
            rewrite.Add<float>($"{name}_scales", ElementTypes.Float, [product.Outputs, packed.Blocks], packed.Scales),
        ];
        if (packed.ZeroPoints is not null)
            inputs.Add(rewrite.Add<byte>($"{name}_zero_points", ElementTypes.UInt8, [product.Outputs, (packed.Blocks * bits + 7) / 8], BlockPacking.PackZeroPoints(packed, bits)));
        rewrite.Replace(node, Node(Contrib, "MatMulNBits", $"{node.Name}_Q{bits}", [.. inputs], [node.Output[0]],
            Attribute("K", product.Inputs), Attribute("N", product.Outputs), Attribute("bits", bits), Attribute("block_size", rounding.Block),
            Attribute("accuracy_level", accuracyLevel)));
    }

    private static string AddValues(GraphRewrite rewrite, string name, PackedBlocks packed, BlockRounding rounding) =>
        rewrite.Add<byte>(name, ElementTypes.UInt8, [packed.Rows, packed.Blocks, rounding.Block * rounding.Bits / 8], packed.Values);

    // The lookup reads the three-dimensional layout of MatMulNBits, so that a tied head shares the bytes: a row comes out as
    // [.., blocks, block] and is reshaped. ONNX Runtime reads 4 and 8 bits here.
    public static void ReplaceLookup(GraphRewrite rewrite, NodeProto node, TensorProto table, BlockRounding rounding, CancellationToken ct)
    {
        int rows = (int)table.Dims[0], width = (int)table.Dims[1], bits = rounding.Bits;
        if (bits is not (4 or 8) || width % rounding.Block != 0)
        {
            rewrite.Skip(node, $"the table [{rows}, {width}] stays in floating point; a quantized lookup needs 4 or 8 HeadBits and a width that is a multiple of the block size");
            return;
        }
        var name = $"{table.Name}_Q{bits}";
        var shared = rewrite.IsAdded(name);
        var packed = rewrite.Pack(table, rows, width, transposed: false, rounding, ct);
        var step = node.Output[0];
        List<string> inputs =
        [
            AddValues(rewrite, name, packed, rounding),
            node.Input[1],
            rewrite.Add<float>($"{name}_lookup_scales", ElementTypes.Float, [rows, packed.Blocks, 1], packed.Scales),
        ];
        if (packed.ZeroPoints is not null)
            inputs.Add(rewrite.Add<byte>($"{name}_lookup_zero_points", ElementTypes.UInt8, [rows, packed.Blocks, 1], packed.ZeroPoints));
        var shape = rewrite.Add<long>($"{name}_lookup_shape", ElementTypes.Int64, [3], [0, 0, width]);
        rewrite.Replace(node,
            Node(Contrib, "GatherBlockQuantized", $"{node.Name}_Q{bits}", [.. inputs], [$"{step}_blocks"],
                Attribute("gather_axis", 0), Attribute("quantize_axis", 2), Attribute("block_size", rounding.Block), Attribute("bits", bits)),
            Node("Reshape", $"{node.Name}_rows", [$"{step}_blocks", shape], [step]));
        if (shared)
            rewrite.Notes.Add($"{node.Name}: shares {bits}-bit weights with the output head.");
    }
}

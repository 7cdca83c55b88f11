using System.Numerics;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Weight-only round-to-nearest: a product with a constant matrix becomes com.microsoft.MatMulNBits. The output head and the embedding
/// table use <see cref="HeadBits"/>; when they are tied, both read the same packed bytes, so the largest matrix of a small model is stored once.
/// </summary>
/// <param name="Bits">Bits per weight of the layers: 2, 4 or 8.</param>
/// <param name="BlockSize">Weights that share a scale: a power of two, 16 or more.</param>
/// <param name="Symmetric">One scale per block; otherwise also a zero point, which costs <c>bits / block</c> more per weight and is closer to the original.</param>
/// <param name="AccuracyLevel">4 computes with 8-bit activations, the fast form on CPUs; 1 keeps activations in 32-bit floats; 0 leaves it to ONNX Runtime.</param>
/// <param name="HeadBits">Bits per weight of head and embedding: 2, 4 or 8; 0 leaves both in floating point.</param>
public sealed record BlockwiseRtn(int Bits = 4, int BlockSize = 32, bool Symmetric = false, int AccuracyLevel = 4, int HeadBits = 8) : QuantizationPass
{
    /// <inheritdoc/>
    public override QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        EnsureOptions();
        using var rewrite = new GraphRewrite(sourceFolder, targetFolder);
        if (rewrite.Products.Count == 0)
            throw new UnsupportedModelException("No MatMul of the graph has a constant 2-D float weight: there is nothing to quantize.");
        var outputs = rewrite.Model.Proto.Graph.Output.Select(o => o.Name).ToHashSet();
        foreach (var (i, product) in rewrite.Products.Index())
        {
            ct.ThrowIfCancellationRequested();
            var bits = outputs.Contains(product.Node.Output[0]) ? HeadBits : Bits;
            if (bits == 0)
            {
                rewrite.Skipped++;
                rewrite.Notes.Add($"{product.Node.Name}: stays in floating point, as HeadBits 0 asks.");
            }
            else
                QuantizeProduct(rewrite, product, bits);
            progress?.Report((i + 1.0) / rewrite.Products.Count);
        }
        foreach (var (node, table) in rewrite.Lookups)
            QuantizeLookup(rewrite, node, table);
        return rewrite.Finish(ToString(), ct);
    }

    private void EnsureOptions()
    {
        if (Bits is not (2 or 4 or 8))
            throw new ArgumentException("Bits must be 2, 4 or 8.", nameof(Bits));
        if (HeadBits is not (0 or 2 or 4 or 8))
            throw new ArgumentException("HeadBits must be 0, 2, 4 or 8.", nameof(HeadBits));
        if (BlockSize < 16 || !BitOperations.IsPow2(BlockSize))
            throw new ArgumentException("BlockSize must be a power of two, 16 or more.", nameof(BlockSize));
        if (AccuracyLevel is < 0 or > 4)
            throw new ArgumentException("AccuracyLevel must be 0 to 4.", nameof(AccuracyLevel));
    }

    private void QuantizeProduct(GraphRewrite rewrite, WeightProduct product, int bits)
    {
        var (node, name) = (product.Node, $"{product.Weight.Name}_Q{bits}");
        var packed = BlockPacking.Pack(GraphRewrite.RowsPerOutput(rewrite.Model, product), product.Outputs, product.Inputs, bits, BlockSize, Symmetric);
        List<string> inputs =
        [
            node.Input[0],
            AddValues(rewrite, name, packed, bits),
            rewrite.Add<float>($"{name}_scales", ElementTypes.Float, [product.Outputs, packed.Blocks], packed.Scales),
        ];
        if (packed.ZeroPoints is not null)
            inputs.Add(rewrite.Add<byte>($"{name}_zero_points", ElementTypes.UInt8, [product.Outputs, (packed.Blocks * bits + 7) / 8], BlockPacking.PackZeroPoints(packed, bits)));
        rewrite.Replace(node, Node(Contrib, "MatMulNBits", $"{node.Name}_Q{bits}", [.. inputs], [node.Output[0]],
            Attribute("K", product.Inputs), Attribute("N", product.Outputs), Attribute("bits", bits), Attribute("block_size", BlockSize),
            Attribute("accuracy_level", AccuracyLevel)));
    }

    private string AddValues(GraphRewrite rewrite, string name, PackedBlocks packed, int bits) =>
        rewrite.Add<byte>(name, ElementTypes.UInt8, [packed.Rows, packed.Blocks, BlockSize * bits / 8], packed.Values);

    // The lookup reads the three-dimensional layout of MatMulNBits, so that a tied head shares the bytes: a row comes out as
    // [.., blocks, block] and is reshaped. ONNX Runtime reads 4 and 8 bits here.
    private void QuantizeLookup(GraphRewrite rewrite, NodeProto node, TensorProto table)
    {
        int rows = (int)table.Dims[0], width = (int)table.Dims[1], bits = HeadBits;
        if (bits is not (4 or 8) || width % BlockSize != 0)
        {
            rewrite.Skipped++;
            rewrite.Notes.Add($"{node.Name}: the table [{rows}, {width}] stays in floating point; a quantized lookup needs 4 or 8 HeadBits and a width that is a multiple of the block size.");
            return;
        }
        var name = $"{table.Name}_Q{bits}";
        var shared = rewrite.IsAdded(name);
        var packed = BlockPacking.Pack(rewrite.Model.Float32(table), rows, width, bits, BlockSize, Symmetric);
        var step = node.Output[0];
        List<string> inputs =
        [
            AddValues(rewrite, name, packed, bits),
            node.Input[1],
            rewrite.Add<float>($"{name}_lookup_scales", ElementTypes.Float, [rows, packed.Blocks, 1], packed.Scales),
        ];
        if (packed.ZeroPoints is not null)
            inputs.Add(rewrite.Add<byte>($"{name}_lookup_zero_points", ElementTypes.UInt8, [rows, packed.Blocks, 1], packed.ZeroPoints));
        var shape = rewrite.Add<long>($"{name}_lookup_shape", ElementTypes.Int64, [3], [0, 0, width]);
        rewrite.Replace(node,
            Node(Contrib, "GatherBlockQuantized", $"{node.Name}_Q{bits}", [.. inputs], [$"{step}_blocks"],
                Attribute("gather_axis", 0), Attribute("quantize_axis", 2), Attribute("block_size", BlockSize), Attribute("bits", bits)),
            Node("Reshape", $"{node.Name}_rows", [$"{step}_blocks", shape], [step]));
        if (shared)
            rewrite.Notes.Add($"{node.Name}: shares {bits}-bit weights with the output head.");
    }
}

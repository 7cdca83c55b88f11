using System.Numerics;
using LlmOps.Engines.Onnx;

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
    /// <summary>How the scale of a block is found; a search costs seconds and no data.</summary>
    public ScaleSearch Search { get; init; }

    /// <summary>8 bits for the query/key/value and down projections of the first and last eighth of the layers and of every third between: most of the benefit of 8 bits for a small part of its size.</summary>
    public bool MixedLayers { get; init; }

    /// <summary>Bits of single nodes, the first that matches; stronger than every other option.</summary>
    public IReadOnlyList<BitOverride>? Overrides { get; init; }

    /// <summary>Nodes that are left alone.</summary>
    public ExclusionRules? Exclude { get; init; }

    /// <inheritdoc/>
    public override QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        EnsureOptions();
        using var rewrite = new GraphRewrite(sourceFolder, targetFolder, Exclude);
        rewrite.EnsureProducts();
        var plan = Plan(rewrite.Model, rewrite.Products);
        foreach (var (i, product) in rewrite.Products.Index())
        {
            ct.ThrowIfCancellationRequested();
            var (bits, reason) = plan.Of(product);
            if (bits == 0)
                rewrite.Skip(product.Node, $"stays in floating point, {reason}");
            else
            {
                var rounding = Block(bits);
                var packed = rewrite.Pack(product.Weight, product.Outputs, product.Inputs, !product.OutputsFirst, rounding, ct);
                NBitsNodes.ReplaceProduct(rewrite, product, packed, rounding, AccuracyLevel);
            }
            progress?.Report((i + 1.0) / rewrite.Products.Count);
        }
        foreach (var (node, table) in rewrite.Lookups)
            NBitsNodes.ReplaceLookup(rewrite, node, table, Block(HeadBits), ct);
        return rewrite.Finish(Recipe, ct, CheckInputs);
    }

    internal BlockRounding Block(int bits) => new(bits, BlockSize, Symmetric, Search);

    internal BitPlan Plan(OnnxModel model, IReadOnlyList<WeightProduct> products) => new(model, products, Bits, HeadBits, MixedLayers, Overrides);

    internal void EnsureOptions()
    {
        BitPlan.Ensure(Bits, HeadBits, Overrides);
        if (BlockSize < 16 || !BitOperations.IsPow2(BlockSize))
            throw new ArgumentException("BlockSize must be a power of two, 16 or more.", nameof(BlockSize));
        if (AccuracyLevel is < 0 or > 4)
            throw new ArgumentException("AccuracyLevel must be 0 to 4.", nameof(AccuracyLevel));
        if (!Enum.IsDefined(Search))
            throw new ArgumentException($"Search {(int)Search} is unknown; use MinMax, Clip or Refit.", nameof(Search));
    }
}

namespace LlmOps.Engines.Planning;

/// <summary>
/// A way to store weights, as this library's exports and passes write it. Bytes follow the layouts of <see cref="Quantization.DynamicInt8"/> and
/// <see cref="Quantization.BlockwiseRtn"/>, scales and zero points included.
/// </summary>
public sealed record WeightPrecision
{
    private WeightPrecision(string name, double bits, int block, int quality) => (Name, Bits, Block, Quality) = (name, bits, block, quality);

    /// <summary>32-bit floats.</summary>
    public static readonly WeightPrecision Fp32 = new("fp32", 32, 0, 0);
    /// <summary>16-bit floats with 10 bits of mantissa; values above 65504 overflow.</summary>
    public static readonly WeightPrecision Fp16 = new("fp16", 16, 0, 2);
    /// <summary>16-bit floats with the range of fp32 and 7 bits of mantissa.</summary>
    public static readonly WeightPrecision Bf16 = new("bf16", 16, 0, 1);
    /// <summary>8-bit integers, one scale for each output channel, activations quantized while running.</summary>
    public static readonly WeightPrecision Int8 = new("int8", 8, 0, 3);
    /// <summary>4-bit integers in blocks of 32 with scale and zero point; 8-bit embedding and head.</summary>
    public static readonly WeightPrecision Int4Block32 = new("int4-block32", 4, 32, 4);
    /// <summary>The same in blocks of 64.</summary>
    public static readonly WeightPrecision Int4Block64 = new("int4-block64", 4, 64, 5);

    /// <summary>From the least to the most compressed.</summary>
    public static IReadOnlyList<WeightPrecision> All { get; } = [Fp32, Bf16, Fp16, Int8, Int4Block32, Int4Block64];

    /// <summary>As in tables and addresses.</summary>
    public string Name { get; }
    /// <summary>Bits of one weight without its share of scales.</summary>
    public double Bits { get; }
    /// <summary>Weights that share a scale; 0 for floats and for one scale per channel.</summary>
    public int Block { get; }
    /// <summary>Order of closeness to the trained weights: 0 is closest.</summary>
    public int Quality { get; }
    /// <summary>Whether weights are integers.</summary>
    public bool IsQuantized => Bits < 16;

    /// <summary>
    /// Bytes of graph weights on disk. Floats: <c>P · bits/8</c>. int8 per channel: one byte a weight, 5 for each output (scale and zero point), and
    /// embedding and head apart even when tied, because the kernels read them in different orders. Blocks: <c>bits/8 + (4 + bits/8)/block</c> a weight,
    /// embedding and head in 8 bits; when tied they share the values and have scales (4 bytes) and zero points (1 byte) of their own.
    /// </summary>
    public double WeightBytes(ModelShape m)
    {
        if (!IsQuantized)
            return m.Parameters * Bits / 8;
        double others = 4.0 * m.OtherWeights, table = m.EmbeddingWeights;
        return Block == 0
            ? others + m.LayerWeights + 5.0 * m.LayerOutputs + 2 * table + (5.0 + 4.0) * m.VocabSize
            : others + m.LayerWeights * BytesPerBlockWeight + (m.TiedEmbeddings ? 1 : 2) * table + 2 * table * 5.0 / Block;
    }

    /// <summary>Bytes of weights that one step reads, whatever its batch: layers and head. Of the embedding a token reads one row, which is nothing.</summary>
    public double BytesReadPerStep(ModelShape m)
    {
        if (!IsQuantized)
            return (m.LayerWeights + m.OtherWeights + m.EmbeddingWeights) * Bits / 8;
        double others = 4.0 * m.OtherWeights, head = m.EmbeddingWeights;
        return Block == 0
            ? others + m.LayerWeights + 5.0 * m.LayerOutputs + head + 5.0 * m.VocabSize
            : others + m.LayerWeights * BytesPerBlockWeight + head * (1 + 5.0 / Block);
    }

    private double BytesPerBlockWeight => Bits / 8 + (4 + Bits / 8) / Block;

    /// <summary>The precision with this name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists them.</exception>
    public static WeightPrecision Parse(string name) => All.FirstOrDefault(p => p.Name == name)
        ?? throw new ArgumentException($"'{name}' is no precision. Precisions: {string.Join(", ", All.Select(p => p.Name))}.", nameof(name));
}

using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Measures what each layer costs when it alone is quantized: the divergence of the whole model's predictions, and the error of the layer's own output.
/// Products that read the same activation (query, key and value; gate and up) count as one layer and share their bits. The head is left out.
/// </summary>
public sealed record SensitivityScan
{
    /// <summary>Numbers of bits to measure.</summary>
    public IReadOnlyList<int> Bits { get; init; } = [4, 8];

    /// <summary>Blocks and scale search; its bits are not used.</summary>
    public BlockwiseRtn Rounding { get; init; } = new();

    /// <summary>Nothing is written: weights are replaced in memory, one layer after the other.</summary>
    /// <param name="sourceFolder">A decoder in floating point.</param>
    /// <param name="rows">Texts to measure on.</param>
    /// <param name="progress">Share of the measurements done, 0 to 1.</param>
    /// <param name="ct">Stops between two batches.</param>
    /// <exception cref="ArgumentException">A number of bits is not 2, 4 or 8, or a row cannot be scored.</exception>
    /// <exception cref="UnsupportedModelException">Nothing in the graph can be quantized.</exception>
    public SensitivityReport Run(string sourceFolder, IReadOnlyList<TokenRow> rows, IProgress<double>? progress = null, CancellationToken ct = default) =>
        new SensitivityRun(this, sourceFolder, rows, progress, ct).Report();

    internal void EnsureOptions()
    {
        if (Bits.Count == 0 || Bits.Any(b => b is not (2 or 4 or 8)))
            throw new ArgumentException("Bits must be some of 2, 4 and 8.", nameof(Bits));
        Rounding.EnsureOptions();
    }
}

/// <summary>What every layer costs at every number of bits.</summary>
/// <param name="Rows">Texts measured on.</param>
/// <param name="Positions">Scored tokens.</param>
/// <param name="Layers">In the order of the graph.</param>
public sealed record SensitivityReport(int Rows, int Positions, IReadOnlyList<LayerSensitivity> Layers);

/// <summary>One layer.</summary>
/// <param name="Nodes">Products that share the bits.</param>
/// <param name="Measures">From few bits to many.</param>
public sealed record LayerSensitivity(IReadOnlyList<string> Nodes, IReadOnlyList<BitMeasure> Measures);

/// <summary>A layer at a number of bits, all others in floating point.</summary>
/// <param name="Bits">Bits per weight.</param>
/// <param name="Bytes">Packed weights, scales and zero points.</param>
/// <param name="MeanKld">Mean Kullback-Leibler divergence of the model's predictions, nats.</param>
/// <param name="RelativeError">Norm of the layer's output error over the norm of its output.</param>
public sealed record BitMeasure(int Bits, long Bytes, double MeanKld, double RelativeError);

using System.Text.Json.Serialization;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Weight-only quantization that looks at what the model does: AWQ moves scales between weights so that inputs with large activations get a finer
/// grid, GPTQ lets later weights make up for the rounding of earlier ones. Each candidate is judged per layer by its output error on held-out
/// tokens, plain rounding included, and the best is kept. Layers at 8 bits, and a head that shares the embedding's table, are rounded as
/// <see cref="BlockwiseRtn"/> does: there is nothing to win.
/// </summary>
public sealed record CalibratedBlockwise : QuantizationPass
{
    /// <summary>Bits, blocks, head and exceptions.</summary>
    public BlockwiseRtn Rounding { get; init; } = new();

    /// <summary>Try scales of input channels (AWQ).</summary>
    public bool Awq { get; init; } = true;

    /// <summary>Try error compensation (GPTQ), with and without the scales. Needs many more tokens than a layer has inputs.</summary>
    public bool Gptq { get; init; } = true;

    /// <summary>Tokens to measure on; the report and the graph's metadata keep their hash.</summary>
    [JsonIgnore]
    public CalibrationTokens? Calibration { get; init; }

    /// <inheritdoc/>
    public override QuantizationPass WithCalibration(string sourceFolder, CalibrationTokens tokens) => this with { Calibration = tokens };

    internal override string? CalibrationHash => Calibration?.Sha256;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">An option is out of range, or there are no calibration tokens.</exception>
    public override QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        Rounding.EnsureOptions();
        if (!Awq && !Gptq)
            throw new ArgumentException("Neither Awq nor Gptq is on; use BlockwiseRtn for plain rounding.");
        var calibration = Calibration ?? throw new ArgumentException("CalibratedBlockwise needs Calibration: token sequences like those that the model will see.");
        using var rewrite = new GraphRewrite(sourceFolder, targetFolder, Rounding.Exclude) { CalibrationSha256 = calibration.Sha256 };
        rewrite.EnsureProducts();
        var run = new CalibratedRun(this, calibration, rewrite, progress, ct);
        run.QuantizeProducts();
        foreach (var (node, table) in rewrite.Lookups)
            NBitsNodes.ReplaceLookup(rewrite, node, table, Rounding.Block(Rounding.HeadBits), ct);
        return rewrite.Finish(Recipe, ct, CheckInputs) with { Layers = run.Layers };
    }
}

/// <summary>What was chosen for one product, and why.</summary>
/// <param name="Node">Name of the product in the source graph.</param>
/// <param name="Bits">Bits per weight.</param>
/// <param name="Method">rtn, awq, gptq or awq+gptq.</param>
/// <param name="Alpha">AWQ's exponent, when its scales were kept.</param>
/// <param name="HeldOutErrors">Per candidate, norm of the output's error over norm of the output on tokens that chose nothing; empty when there was one candidate only.</param>
public sealed record LayerChoice(string Node, int Bits, string Method, double? Alpha, IReadOnlyDictionary<string, double> HeldOutErrors);

using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Reference;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Compares an exported decoder with any reference on random tokens: prefill at several lengths, decoding token by token against one prefill,
/// a padded batch against single rows, and greedy continuations. Tolerances are for 32-bit floats.
/// </summary>
public sealed record ParityCheck
{
    // Both sides keep the logits of every position: half a gibibyte each.
    private const int MostLogits = 1 << 27;

    /// <summary>Prefill lengths; those above the context are left out, and the longest prefill is always added.</summary>
    public IReadOnlyList<int> Lengths { get; init; } = [1, 2, 17, 128];

    /// <summary>Longest prefill, in tokens, where the context is longer.</summary>
    public int LongestPrefill { get; init; } = 2048;

    /// <summary>Prompts that both models continue.</summary>
    public int Prompts { get; init; } = 8;

    /// <summary>Tokens of each continuation.</summary>
    public int GreedyTokens { get; init; } = 64;

    /// <summary>Allowed logit difference, where logits stay below 10 in magnitude; grows in proportion above.</summary>
    public double Tolerance { get; init; } = 1e-4;

    /// <summary>Allowed norm of the difference over the norm of the reference.</summary>
    public double RelativeTolerance { get; init; } = 1e-5;

    /// <summary>Compares with the checkpoint itself, computed by <see cref="ReferenceDecoder"/>; a failed report names the first layer that differs.</summary>
    /// <exception cref="InvalidModelException">A folder does not open as a decoder, or they have different vocabularies.</exception>
    public ParityReport Run(string hfFolder, string onnxFolder, int seed = 0, CancellationToken ct = default)
    {
        using var reference = ReferenceDecoder.Load(hfFolder);
        return Run(reference, onnxFolder, hfFolder, seed, ct);
    }

    /// <summary>Compares with any model; a failed report does not say which layer differs.</summary>
    /// <exception cref="InvalidModelException">The folder does not open as a decoder, or has another vocabulary than the reference.</exception>
    public ParityReport Run(ICausalModel reference, string onnxFolder, int seed = 0, CancellationToken ct = default) => Run(reference, onnxFolder, null, seed, ct);

    /// <summary>Runs every comparison; a difference is a finding in the report, not an exception.</summary>
    /// <param name="reference">What the graph should compute.</param>
    /// <param name="onnxFolder">The exported folder.</param>
    /// <param name="hfFolder">The checkpoint, in which a failed check looks for the first layer that differs; null leaves that out.</param>
    /// <param name="seed">Of the tokens.</param>
    /// <param name="ct">Stops between two comparisons.</param>
    /// <exception cref="InvalidModelException">The folder does not open as a decoder, or has another vocabulary than the reference.</exception>
    public ParityReport Run(ICausalModel reference, string onnxFolder, string? hfFolder, int seed, CancellationToken ct = default)
    {
        using var model = OnnxCausalModel.Load(onnxFolder);
        if (model.VocabularySize != reference.VocabularySize)
            throw new InvalidModelException($"The vocabularies differ: {reference.VocabularySize} in the reference, {model.VocabularySize} in the exported model.");
        using var decoder = DecoderSession.Open(onnxFolder, null);
        using var cached = new CachedDecoder(decoder);
        var longest = Math.Max(1, Math.Min(LongestPrefill, MostLogits / model.VocabularySize));
        var report = new ParityRun(this, reference, model, cached, longest, seed, ct).Report();
        if (report.Passed || hfFolder is null)
            return report;
        var random = new Random(seed);
        var layers = LayerSearch.Run(hfFolder, onnxFolder, [.. Enumerable.Range(0, Math.Min(17, model.MaxLength)).Select(_ => random.Next(model.VocabularySize))]);
        // Written so that NaN counts as different.
        return report with { Layers = layers, FirstBadLayer = layers.FirstOrDefault(layer => !(layer.RelativeL2 <= RelativeTolerance))?.After };
    }
}

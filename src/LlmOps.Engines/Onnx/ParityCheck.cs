using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Compares an exported decoder with any reference on random tokens: prefill at several lengths, decoding token by token against one prefill,
/// a padded batch against single rows, and greedy continuations. Tolerances are for 32-bit floats.
/// </summary>
public sealed record ParityCheck
{
    /// <summary>Prefill lengths; those above the context are left out and the whole context is always added.</summary>
    public IReadOnlyList<int> Lengths { get; init; } = [1, 2, 17, 64];

    /// <summary>Prompts that both models continue.</summary>
    public int Prompts { get; init; } = 8;

    /// <summary>Tokens of each continuation.</summary>
    public int GreedyTokens { get; init; } = 32;

    /// <summary>Allowed logit difference, where logits stay below 10 in magnitude; grows in proportion above.</summary>
    public double Tolerance { get; init; } = 1e-4;

    /// <summary>Allowed norm of the difference over the norm of the reference.</summary>
    public double RelativeTolerance { get; init; } = 1e-5;

    /// <summary>Runs every comparison; a difference is a finding in the report, not an exception.</summary>
    /// <exception cref="InvalidModelException">The folder does not open as a decoder, or has another vocabulary than the reference.</exception>
    public ParityReport Run(ICausalModel reference, string onnxFolder, int seed = 0, CancellationToken ct = default)
    {
        using var model = OnnxCausalModel.Load(onnxFolder);
        if (model.VocabularySize != reference.VocabularySize)
            throw new InvalidModelException($"The vocabularies differ: {reference.VocabularySize} in the reference, {model.VocabularySize} in the exported model.");
        using var decoder = DecoderSession.Open(onnxFolder, null);
        using var cached = new CachedDecoder(decoder);
        return new ParityRun(this, reference, model, cached, seed, ct).Report();
    }
}

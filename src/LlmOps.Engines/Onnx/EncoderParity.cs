using System.Text.Json.Serialization;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Inference;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Compares an exported encoder with <see cref="ReferenceEncoder"/> on random tokens: single texts of several lengths, and a padded batch against single
/// texts. When they differ, the graph is opened again with its inner hidden states as outputs, and the first place that is wrong is named.
/// Tolerances are for 32-bit floats.
/// </summary>
public sealed record EncoderParityCheck
{
    /// <summary>Lengths in tokens; those above the model's limit are left out and the limit is always added.</summary>
    public IReadOnlyList<int> Lengths { get; init; } = [1, 2, 17, 128];

    /// <summary>Allowed difference of a value, where the reference stays below 10 in magnitude; grows in proportion above.</summary>
    public double Tolerance { get; init; } = 1e-4;

    /// <summary>Allowed norm of the difference over the norm of the reference.</summary>
    public double RelativeTolerance { get; init; } = 1e-5;

    /// <summary>Pooling that the export was made with; null takes what the checkpoint folder says.</summary>
    public SentencePooling? Pooling { get; init; }

    /// <summary>Runs every comparison; a difference is a finding in the report, not an exception.</summary>
    /// <exception cref="InvalidModelException">The checkpoint or the ONNX folder does not open, or their widths differ.</exception>
    public EncoderParityReport Run(string hfFolder, string onnxFolder, int seed = 0, CancellationToken ct = default)
    {
        using var reference = ReferenceEncoder.Open(hfFolder, Pooling);
        using var model = OnnxEncoder.Load(onnxFolder);
        if (model.Dimension != reference.Config.HiddenSize)
            throw new InvalidModelException($"The widths differ: {reference.Config.HiddenSize} in the checkpoint, {model.Dimension} in the exported model.");
        return new EncoderParityRun(this, reference, model, onnxFolder, seed, ct).Report();
    }
}

/// <summary>How an exported encoder compares with its checkpoint.</summary>
/// <param name="Passed">No failure.</param>
/// <param name="MaxAbsDifference">Largest difference of a value over the cases of single texts.</param>
/// <param name="RelativeL2">Largest norm of the difference over the norm of the reference, same cases.</param>
/// <param name="SmallestCosine">Smallest cosine between a text's vector and the reference's; null when the model does not pool.</param>
/// <param name="Cases">Every comparison that was made.</param>
/// <param name="Failures">What was outside of its tolerance; empty when passed.</param>
/// <param name="FirstBadStage">The first place in the graph that differs: <c>embeddings</c>, <c>layer N attention</c>, <c>layer N feed-forward</c> or <c>pooling</c>; null when passed.</param>
[JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)] // a broken graph may give NaN, and the report is stored as JSON
public sealed record EncoderParityReport(bool Passed, double MaxAbsDifference, double RelativeL2, double? SmallestCosine,
    IReadOnlyList<EncoderParityCase> Cases, IReadOnlyList<string> Failures, string? FirstBadStage);

/// <summary>One comparison.</summary>
/// <param name="Name">What was compared, for example <c>17 tokens</c>.</param>
/// <param name="MaxAbsDifference">Largest difference of a value.</param>
/// <param name="Tolerance">What is allowed for it.</param>
/// <param name="RelativeL2">Norm of the difference over the norm of the reference.</param>
/// <param name="Passed">Within tolerance.</param>
[JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)]
public sealed record EncoderParityCase(string Name, double MaxAbsDifference, double Tolerance, double RelativeL2, bool Passed);

using System.Text.Json.Serialization;

namespace LlmOps.Engines.Onnx;

/// <summary>How an exported model compares with the model that it was exported from.</summary>
/// <param name="Passed">No failure.</param>
/// <param name="MaxAbsDifference">Largest difference of a logit over the prefill cases.</param>
/// <param name="RelativeL2">Norm of the difference over the norm of the reference's logits, same cases.</param>
/// <param name="ArgmaxAgreement">Share of positions with the same most likely token, 0 to 1. Ties within twice the tolerance agree.</param>
/// <param name="GreedyPrompts">Prompts that both models continued greedily.</param>
/// <param name="GreedyEqual">Prompts with equal continuations.</param>
/// <param name="Cases">Every comparison that was made.</param>
/// <param name="Failures">What was outside of its tolerance and where it begins; empty when passed.</param>
[JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)] // a broken graph may give NaN, and the report is stored as JSON
public sealed record ParityReport(bool Passed, double MaxAbsDifference, double RelativeL2, double ArgmaxAgreement, int GreedyPrompts, int GreedyEqual,
    IReadOnlyList<ParityCase> Cases, IReadOnlyList<string> Failures)
{
    /// <summary>The first place where the residual stream differs, for example <c>layer 3 attention</c>; null when it passed, or when everything up to the head agrees.</summary>
    public string? FirstBadLayer { get; init; }

    /// <summary>How far the streams are apart after every block; filled when the check failed.</summary>
    public IReadOnlyList<LayerDifference> Layers { get; init; } = [];
}

/// <summary>One comparison.</summary>
/// <param name="Name">What was compared, for example <c>prefill 17</c>.</param>
/// <param name="MaxAbsDifference">Largest difference of a logit.</param>
/// <param name="Tolerance">What is allowed for it.</param>
/// <param name="RelativeL2">Norm of the difference over the norm of the reference's logits.</param>
/// <param name="ArgmaxAgreement">Share of positions with the same most likely token, 0 to 1.</param>
/// <param name="Passed">Within tolerance.</param>
[JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)]
public sealed record ParityCase(string Name, double MaxAbsDifference, double Tolerance, double RelativeL2, double ArgmaxAgreement, bool Passed);

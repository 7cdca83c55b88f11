using static TorchSharp.torch;

namespace LlmOps.Training.Objectives;

/// <summary>
/// Log-probabilities of pairs of completions: sums over the completion's tokens, natural logarithm, all of shape [pairs] and of one element type.
/// </summary>
/// <param name="Chosen">log π(c | x) of the chosen completions.</param>
/// <param name="Rejected">log π(r | x) of the rejected completions.</param>
/// <param name="ChosenTokens">Tokens of the chosen completions, at least 1.</param>
/// <param name="RejectedTokens">Tokens of the rejected completions, at least 1.</param>
/// <param name="ReferenceChosen">log π_ref(c | x); null for objectives without a reference.</param>
/// <param name="ReferenceRejected">log π_ref(r | x); null for objectives without a reference.</param>
public sealed record PairLogProbabilities(
    Tensor Chosen, Tensor Rejected, Tensor ChosenTokens, Tensor RejectedTokens, Tensor? ReferenceChosen = null, Tensor? ReferenceRejected = null)
{
    /// <summary>log π(c | x) − log π_ref(c | x).</summary>
    /// <exception cref="ArgumentException">There is no reference.</exception>
    public Tensor ChosenRatio => Chosen - (ReferenceChosen ?? throw NoReference());

    /// <summary>log π(r | x) − log π_ref(r | x).</summary>
    /// <exception cref="ArgumentException">There is no reference.</exception>
    public Tensor RejectedRatio => Rejected - (ReferenceRejected ?? throw NoReference());

    /// <summary>Mean log-probability of a token of the chosen completions.</summary>
    public Tensor ChosenMean => Chosen / ChosenTokens;

    /// <summary>Mean log-probability of a token of the rejected completions.</summary>
    public Tensor RejectedMean => Rejected / RejectedTokens;

    private static ArgumentException NoReference() => new("This objective compares with a reference; its log-probabilities are missing.");
}

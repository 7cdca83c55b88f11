namespace LlmOps.Training.Batching;

/// <summary>Tokens of one training example; those from <see cref="ScoredFrom"/> on are predicted, the ones before are given.</summary>
/// <param name="Tokens">Token ids.</param>
/// <param name="ScoredFrom">Index of the first predicted token, at least 1: nothing precedes token 0.</param>
public sealed record TokenSequence(int[] Tokens, int ScoredFrom)
{
    /// <summary>Which tokens from <see cref="ScoredFrom"/> on are predicted, one value per token; null for all. In a conversation those between the answers are not.</summary>
    public bool[]? Labelled { get; init; }

    /// <summary>Number of predicted tokens.</summary>
    public int Scored => Labelled is null ? Math.Max(0, Tokens.Length - ScoredFrom) : Enumerable.Range(0, Tokens.Length).Count(IsScored);

    /// <summary>Whether a token is predicted.</summary>
    public bool IsScored(int index) => index >= ScoredFrom && (Labelled is null || Labelled[index]);
}

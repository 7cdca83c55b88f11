namespace LlmOps.Engines.Inference;

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>The model gave an end token.</summary>
    EndOfText,
    /// <summary>A stop text appeared.</summary>
    Stop,
    /// <summary><see cref="SamplingOptions.MaxNewTokens"/> were generated.</summary>
    Length,
    /// <summary>The model's context is full.</summary>
    Context,
    /// <summary>By the <see cref="SamplingOptions.Grammar"/> nothing may follow.</summary>
    Complete,
}

/// <summary>A token and the natural logarithm of its probability.</summary>
public readonly record struct TokenLogProbability(int Id, double LogProbability);

/// <summary>One step of a generation.</summary>
/// <param name="Id">The token; the end token comes last when the model gave it.</param>
/// <param name="Text">The text that became certain with this token: empty while a character or a possible stop text is incomplete.</param>
/// <param name="LogProbability">Natural logarithm of the token's probability under the model itself, before penalties, temperature and filters.</param>
public readonly record struct GeneratedToken(int Id, string Text, double LogProbability)
{
    /// <summary>Set on the last token of a continuation only.</summary>
    public FinishReason? Finish { get; init; }

    /// <summary>Which of the <see cref="SamplingOptions.Continuations"/> this token belongs to, from 0.</summary>
    public int Continuation { get; init; }

    /// <summary>How many of the prompt's tokens were not computed because an earlier generation began with the same ones.</summary>
    public int CachedPromptTokens { get; init; }

    /// <summary>The most likely tokens of this step under the model itself, best first; null unless <see cref="SamplingOptions.TopLogProbabilities"/> asks for them.</summary>
    public IReadOnlyList<TokenLogProbability>? Alternatives { get; init; }
}

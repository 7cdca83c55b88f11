namespace LlmOps.Engines.Inference;

/// <summary>How the next token is chosen.</summary>
/// <param name="MaxNewTokens">Generation ends after this many tokens at the latest.</param>
/// <param name="Temperature">0 takes the most likely token (greedy); otherwise logits are divided by it before drawing.</param>
/// <param name="TopK">Draw among the k most likely tokens; 0 means all.</param>
/// <param name="TopP">Draw among the smallest set of tokens whose probabilities reach p; 1 means all.</param>
/// <param name="RepetitionPenalty">Above 1 makes tokens that already occurred less likely (Keskar et al. 2019, section 4.1); 1 is off.</param>
/// <param name="Seed">The same seed, prompt and model give the same tokens; null draws differently each time.</param>
/// <param name="Stop">Texts that end the generation; they are not part of the answer.</param>
/// <param name="MinNewTokens">The end token is not allowed before this many tokens.</param>
public sealed record SamplingOptions(int MaxNewTokens = 64, float Temperature = 0, int TopK = 0, float TopP = 1, float RepetitionPenalty = 1,
    int? Seed = null, IReadOnlyList<string>? Stop = null, int MinNewTokens = 0)
{
    /// <exception cref="ArgumentException">A value is outside of its range; the message names it.</exception>
    internal void Ensure()
    {
        Check(MaxNewTokens >= 1, nameof(MaxNewTokens), "1 or more");
        Check(float.IsFinite(Temperature) && Temperature >= 0, nameof(Temperature), "0 or more");
        Check(TopK >= 0, nameof(TopK), "0 or more");
        Check(TopP > 0 && TopP <= 1, nameof(TopP), "above 0 and at most 1");
        Check(float.IsFinite(RepetitionPenalty) && RepetitionPenalty > 0, nameof(RepetitionPenalty), "above 0");
        Check(MinNewTokens >= 0, nameof(MinNewTokens), "0 or more");
        Check(Stop is null || Stop.All(s => s.Length > 0), nameof(Stop), "texts that are not empty");

        static void Check(bool valid, string name, string allowed)
        {
            if (!valid)
                throw new ArgumentException($"{name} must be {allowed}.", name);
        }
    }
}

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>The model gave its end token.</summary>
    EndOfText,
    /// <summary>A stop text appeared.</summary>
    Stop,
    /// <summary><see cref="SamplingOptions.MaxNewTokens"/> were generated.</summary>
    Length,
    /// <summary>The model's context is full.</summary>
    Context,
}

/// <summary>One step of a generation.</summary>
/// <param name="Id">The token; the end token comes last when the model gave it.</param>
/// <param name="Text">The text that became certain with this token: empty while a character or a possible stop text is incomplete.</param>
/// <param name="LogProbability">Natural logarithm of the token's probability under the model itself, before temperature and filters.</param>
public readonly record struct GeneratedToken(int Id, string Text, double LogProbability)
{
    /// <summary>Set on the last token only.</summary>
    public FinishReason? Finish { get; init; }
}

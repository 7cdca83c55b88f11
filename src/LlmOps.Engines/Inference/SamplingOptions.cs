namespace LlmOps.Engines.Inference;

/// <summary>
/// How the next token is chosen. Order, as in Hugging Face's generate: grammar, logit bias, repetition penalty, presence and frequency
/// penalty, end tokens held back, temperature, top-k, top-p, min-p, draw.
/// </summary>
/// <param name="MaxNewTokens">Generation ends after this many tokens at the latest.</param>
/// <param name="Temperature">0 takes the most likely token (greedy); otherwise logits are divided by it before drawing.</param>
/// <param name="TopK">Draw among the k most likely tokens; 0 means all.</param>
/// <param name="TopP">Draw among the smallest set of tokens whose probabilities, after top-k, reach p; 1 means all.</param>
/// <param name="RepetitionPenalty">θ, Keskar et al. 2019, section 4.1: the logit of a token that occurred in the prompt or the answer is divided by θ
/// when positive and multiplied by θ when negative. 1 is off.</param>
/// <param name="Seed">The same seed, prompt and model give the same tokens; null draws differently each time. Continuation i draws with seed + i.</param>
/// <param name="Stop">Texts that end the generation; they are not part of the answer.</param>
/// <param name="MinNewTokens">The end tokens are not allowed before this many tokens.</param>
public sealed record SamplingOptions(int MaxNewTokens = 64, float Temperature = 0, int TopK = 0, float TopP = 1, float RepetitionPenalty = 1,
    int? Seed = null, IReadOnlyList<string>? Stop = null, int MinNewTokens = 0)
{
    /// <summary>Draw among tokens that are at least this share as likely as the most likely one (Nguyen et al. 2024); 0 means all.</summary>
    public float MinP { get; init; }

    /// <summary>Subtracted from the logit of every token that occurred in the answer, −2 to 2; the prompt does not count.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from a token's logit once for each time it occurred in the answer, −2 to 2; the prompt does not count.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of these tokens before everything but the grammar. Finite; −100 rules a token out in practice.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>How many of the most likely tokens each step reports with their log-probabilities, 0 to 100.</summary>
    public int TopLogProbabilities { get; init; }

    /// <summary>Tokens that end the generation beside the model's own.</summary>
    public IReadOnlyList<int>? EndTokens { get; init; }

    /// <summary>Independent answers to the same prompt, 1 to 256: the prompt is computed once, the answers as one batch.</summary>
    public int Continuations { get; init; } = 1;

    /// <summary>
    /// What the answer may be, such as JSON of a schema; null allows every token. The generation ends where nothing more may follow; one that ends by
    /// length or context before that is incomplete.
    /// </summary>
    public OutputGrammar? Grammar { get; init; }

    /// <exception cref="ArgumentException">A value is outside of its range; the message names it.</exception>
    internal void Ensure(int vocabulary)
    {
        Check(MaxNewTokens >= 1, nameof(MaxNewTokens), "1 or more");
        Check(float.IsFinite(Temperature) && Temperature >= 0, nameof(Temperature), "0 or more");
        Check(TopK >= 0, nameof(TopK), "0 or more");
        Check(TopP > 0 && TopP <= 1, nameof(TopP), "above 0 and at most 1");
        Check(MinP >= 0 && MinP <= 1, nameof(MinP), "0 to 1");
        Check(float.IsFinite(RepetitionPenalty) && RepetitionPenalty > 0, nameof(RepetitionPenalty), "above 0");
        Check(Math.Abs(PresencePenalty) <= 2, nameof(PresencePenalty), "-2 to 2");
        Check(Math.Abs(FrequencyPenalty) <= 2, nameof(FrequencyPenalty), "-2 to 2");
        Check(MinNewTokens >= 0, nameof(MinNewTokens), "0 or more");
        Check(TopLogProbabilities is >= 0 and <= 100, nameof(TopLogProbabilities), "0 to 100");
        Check(Continuations is >= 1 and <= 256, nameof(Continuations), "1 to 256");
        Check(Stop is null || Stop.All(s => s.Length > 0), nameof(Stop), "texts that are not empty");
        Check(LogitBias is null || LogitBias.Values.All(float.IsFinite), nameof(LogitBias), "finite");
        foreach (var (name, tokens) in new[] { (nameof(LogitBias), LogitBias?.Keys), (nameof(EndTokens), EndTokens) })
            Check(tokens is null || tokens.All(t => (uint)t < (uint)vocabulary), name, $"for tokens from 0 to {vocabulary - 1}");

        static void Check(bool valid, string name, string allowed)
        {
            if (!valid)
                throw new ArgumentException($"{name} must be {allowed}.", name);
        }
    }
}

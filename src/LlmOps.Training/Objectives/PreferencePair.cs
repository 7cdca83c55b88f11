using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;

namespace LlmOps.Training.Objectives;

/// <summary>One encoded pair with its reference log-probabilities (sums over completion tokens, natural logarithm; 0 without a reference).</summary>
internal sealed class PreferencePair(TokenSequence chosen, TokenSequence rejected)
{
    public TokenSequence Chosen { get; } = chosen;
    public TokenSequence Rejected { get; } = rejected;
    public int Length { get; } = Math.Max(chosen.Tokens.Length, rejected.Tokens.Length);
    public float ReferenceChosen { get; set; }
    public float ReferenceRejected { get; set; }

    /// <summary>Encodes and cuts to the limit. Pairs whose prompt leaves no room, or whose completions are the same once cut, are left out.</summary>
    /// <exception cref="InvalidDatasetException">A completion is empty, or both are the same.</exception>
    /// <exception cref="ArgumentException">No pair is left.</exception>
    public static List<PreferencePair> Encode(IReadOnlyList<PreferenceExample> pairs, PromptFormat format, int limit)
    {
        var encoded = new List<PreferencePair>(pairs.Count);
        int same = 0;
        for (int i = 0; i < pairs.Count; i++)
        {
            PreferenceExample pair = pairs[i];
            if (string.IsNullOrWhiteSpace(pair.Chosen) || string.IsNullOrWhiteSpace(pair.Rejected)) throw new InvalidDatasetException("a completion is empty", i + 1);
            if (pair.Chosen == pair.Rejected) throw new InvalidDatasetException("chosen and rejected are the same, so there is nothing to prefer", i + 1);
            int[] prompt = format.Prompt(pair.Prompt);
            if (prompt.Length >= limit) continue;
            TokenSequence chosen = Cut(prompt, format.Completion(pair.Chosen), limit), rejected = Cut(prompt, format.Completion(pair.Rejected), limit);
            if (chosen.Tokens.AsSpan().SequenceEqual(rejected.Tokens)) same++;
            encoded.Add(new PreferencePair(chosen, rejected));
        }
        if (encoded.Count == 0) throw new ArgumentException($"No pair fits: there are {pairs.Count}, and prompts must be shorter than {limit} tokens.", nameof(pairs));
        // Some pairs without a difference are noise; nothing but such pairs is a mistake that the stuck loss shows by name.
        if (same < encoded.Count) encoded.RemoveAll(p => p.Chosen.Tokens.AsSpan().SequenceEqual(p.Rejected.Tokens));
        return encoded;
    }

    /// <summary>A prompt with its completion, cut at the end.</summary>
    public static TokenSequence Cut(int[] prompt, int[] completion, int limit)
    {
        int[] tokens = [.. prompt, .. completion];
        return new TokenSequence(tokens.Length > limit ? tokens[..limit] : tokens, Math.Max(1, prompt.Length));
    }

    /// <summary>Fills in the log-probabilities of both completions under the model as it is now.</summary>
    /// <returns>Forward passes that were needed.</returns>
    public static int ScoreReference(CausalLanguageModel model, IReadOnlyList<PreferencePair> pairs, string weightsSha256, string? cacheFolder, CancellationToken ct)
    {
        var reference = ReferenceLogProbabilities.Of(model, [.. pairs.Select(p => p.Chosen), .. pairs.Select(p => p.Rejected)], weightsSha256, cacheFolder, ct);
        for (int i = 0; i < pairs.Count; i++) (pairs[i].ReferenceChosen, pairs[i].ReferenceRejected) = (reference.Values[i], reference.Values[pairs.Count + i]);
        return reference.ForwardPasses;
    }
}

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
    public bool IsSame => Chosen.Tokens.AsSpan().SequenceEqual(Rejected.Tokens);
    public float ReferenceChosen { get; set; }
    public float ReferenceRejected { get; set; }

    /// <summary>Encodes and cuts to the limit. Pairs whose prompt leaves no room, or whose completions are the same once cut, are left out.</summary>
    /// <exception cref="ArgumentException">No pair is left.</exception>
    public static List<PreferencePair> Encode(IReadOnlyList<PreferenceExample> pairs, PromptFormat format, int limit) => Encode(pairs, format, new RowNotes(limit));

    /// <inheritdoc cref="Encode(IReadOnlyList{PreferenceExample}, PromptFormat, int)"/>
    public static List<PreferencePair> Encode(IReadOnlyList<PreferenceExample> pairs, PromptFormat format, RowNotes notes)
    {
        var encoded = new List<PreferencePair>(pairs.Count);
        for (int i = 0; i < pairs.Count; i++)
        {
            if (notes.Without.Contains(i)) continue;
            int[] prompt = format.Prompt(pairs[i].Prompt), chosen = format.Completion(pairs[i].Chosen), rejected = format.Completion(pairs[i].Rejected);
            if (!notes.HasRoom(i, prompt.Length, Math.Max(chosen.Length, rejected.Length))) continue;
            var pair = new PreferencePair(Cut(prompt, chosen, notes.Limit), Cut(prompt, rejected, notes.Limit));
            if (pair.IsSame) notes.SameOnceCut.Add(i);
            encoded.Add(pair);
        }
        if (encoded.Count == 0) throw new ArgumentException($"No {notes.Of}pair fits: there are {pairs.Count - notes.Without.Count}, and prompts must be shorter than {notes.Limit} tokens.", nameof(pairs));
        // Some pairs without a difference are noise; nothing but such pairs is a mistake that the stuck loss shows by name.
        if (notes.SameOnceCut.Count < encoded.Count) encoded.RemoveAll(p => p.IsSame);
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

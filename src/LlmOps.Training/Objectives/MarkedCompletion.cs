using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;

namespace LlmOps.Training.Objectives;

/// <summary>One encoded answer with its mark, its prompt with another prompt's answer, and the reference's log-probabilities of both.</summary>
internal sealed class MarkedCompletion(TokenSequence completion, TokenSequence mismatched, bool desirable)
{
    public TokenSequence Completion { get; } = completion;

    /// <summary>The same prompt with the completion of an earlier row: what the divergence from the reference is estimated on.</summary>
    public TokenSequence Mismatched { get; } = mismatched;
    public bool Desirable { get; } = desirable;
    public float Reference { get; set; }
    public float ReferenceMismatched { get; set; }

    /// <summary>
    /// Encodes and cuts to the limit. Completions are rotated by one row, as TRL does within a batch, but once over all rows and skipping rows of the same prompt:
    /// the reference's value of each mismatch is then known before training, and an answer never meets its own prompt.
    /// </summary>
    /// <exception cref="ArgumentException">No row fits, or all have the same prompt.</exception>
    public static List<MarkedCompletion> Encode(IReadOnlyList<UnpairedExample> rows, PromptFormat format, int limit) => Encode(rows, format, new RowNotes(limit));

    /// <inheritdoc cref="Encode(IReadOnlyList{UnpairedExample}, PromptFormat, int)"/>
    public static List<MarkedCompletion> Encode(IReadOnlyList<UnpairedExample> rows, PromptFormat format, RowNotes notes)
    {
        var fitting = new List<(int[] Prompt, int[] Completion, bool Label)>(rows.Count);
        for (int i = 0; i < rows.Count; i++)
        {
            if (notes.Without.Contains(i)) continue;
            int[] prompt = format.Prompt(rows[i].Prompt), completion = format.Completion(rows[i].Completion);
            if (notes.HasRoom(i, prompt.Length, completion.Length)) fitting.Add((prompt, completion, rows[i].Label));
        }
        if (fitting.Count == 0) throw new ArgumentException($"No {notes.Of}row fits: there are {rows.Count - notes.Without.Count}, and prompts must be shorter than {notes.Limit} tokens.", nameof(rows));
        if (fitting.All(r => r.Prompt.AsSpan().SequenceEqual(fitting[0].Prompt)))
            throw new ArgumentException($"All {notes.Of}rows have the same prompt. The divergence from the reference is estimated on prompts with other prompts' answers, so at least two prompts are needed.", nameof(rows));
        return [.. fitting.Select((row, i) => new MarkedCompletion(
            PreferencePair.Cut(row.Prompt, row.Completion, notes.Limit), PreferencePair.Cut(row.Prompt, fitting[OfAnotherPrompt(i)].Completion, notes.Limit), row.Label))];

        int OfAnotherPrompt(int i)
        {
            int other = i;
            do other = (other + fitting.Count - 1) % fitting.Count;
            while (fitting[other].Prompt.AsSpan().SequenceEqual(fitting[i].Prompt));
            return other;
        }
    }

    /// <summary>Fills in the log-probabilities of completions and mismatches under the model as it is now.</summary>
    /// <returns>Forward passes that were needed.</returns>
    public static int ScoreReference(CausalLanguageModel model, IReadOnlyList<MarkedCompletion> rows, string weightsSha256, string? cacheFolder, CancellationToken ct)
    {
        var reference = ReferenceLogProbabilities.Of(model, [.. rows.Select(r => r.Completion), .. rows.Select(r => r.Mismatched)], weightsSha256, cacheFolder, ct);
        for (int i = 0; i < rows.Count; i++) (rows[i].Reference, rows[i].ReferenceMismatched) = (reference.Values[i], reference.Values[rows.Count + i]);
        return reference.ForwardPasses;
    }
}

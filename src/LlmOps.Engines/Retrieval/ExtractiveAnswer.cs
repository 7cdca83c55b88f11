namespace LlmOps.Engines.Retrieval;

/// <summary>A passage that an answer rests on.</summary>
/// <param name="Number">The number in the answer, the passage's place among the hits from 1.</param>
/// <param name="Chunk">The passage.</param>
/// <param name="Sentence">The sentence taken from it.</param>
public sealed record Citation(int Number, Chunk Chunk, string Sentence);

/// <summary>An answer made of sentences that were found.</summary>
/// <param name="Text">The sentences, each followed by its <c>[n]</c>; when nothing matched, a text that says so.</param>
/// <param name="Citations">Where each sentence stands; empty when nothing matched.</param>
/// <param name="Found">Whether anything matched.</param>
public sealed record CitedAnswer(string Text, IReadOnlyList<Citation> Citations, bool Found);

/// <summary>
/// Answers with sentences of the hits instead of generated text: a sentence is worth the share of the question's words that it holds, rare words
/// weighing more (idf over the sentences of all hits), words in its heading half.
/// </summary>
public static class ExtractiveAnswer
{
    private const int MaxSentences = 3;
    // Below half of the question's weight a sentence shares words, not the subject.
    private const double MinCoverage = 0.5;
    // A second sentence has to be nearly as good as the first.
    private const double MinShareOfBest = 0.75;

    /// <summary>The best sentences, in the order of the hits and of the text.</summary>
    /// <param name="question">The question, in English.</param>
    /// <param name="hits">What a search found, best first.</param>
    public static CitedAnswer From(string question, IReadOnlyList<SearchHit> hits)
    {
        var terms = EnglishTerms.AskedAbout(question);
        var candidates = hits.Index().SelectMany(h => Candidates(h.Index + 1, h.Item.Chunk)).ToList();
        var weights = terms.ToDictionary(t => t, t => Idf(candidates.Count(c => c.Terms.Contains(t)), candidates.Count), StringComparer.Ordinal);
        var total = weights.Values.Sum();
        var ranked = candidates.Select(c => (Candidate: c, Coverage: total > 0 ? Covered(c, weights) / total : 0))
            .Where(c => c.Coverage >= MinCoverage)
            // The search has already judged the passages: among equal sentences the better passage's comes first.
            .OrderByDescending(c => c.Coverage).ThenBy(c => c.Candidate.Number).ThenBy(c => c.Candidate.Order).DistinctBy(c => c.Candidate.Sentence).ToList();
        if (ranked.Count == 0)
            return new CitedAnswer("Nothing in the indexed documents answers this.", [], false);
        var chosen = ranked.Where(c => c.Coverage >= MinShareOfBest * ranked[0].Coverage).Take(MaxSentences)
            .Select(c => c.Candidate).OrderBy(c => c.Number).ThenBy(c => c.Order).ToList();
        return new CitedAnswer(string.Join(' ', chosen.Select(c => $"{c.Sentence} [{c.Number}]")), [.. chosen.Select(c => new Citation(c.Number, c.Chunk, c.Sentence))], true);
    }

    private sealed record Candidate(int Number, int Order, Chunk Chunk, string Sentence, HashSet<string> Terms, HashSet<string> HeadingTerms);

    private static IEnumerable<Candidate> Candidates(int number, Chunk chunk)
    {
        var heading = EnglishTerms.Of(chunk.Heading).ToHashSet(StringComparer.Ordinal);
        return Sentences.Of(chunk.Text).Index().Select(s => new Candidate(number, s.Index, chunk, s.Item, EnglishTerms.Of(s.Item).ToHashSet(StringComparer.Ordinal), heading));
    }

    private static double Covered(Candidate c, Dictionary<string, double> weights)
    {
        // A sentence that shares nothing itself is not an answer just because it stands under the right heading.
        var own = weights.Where(w => c.Terms.Contains(w.Key)).Sum(w => w.Value);
        return own == 0 ? 0 : own + weights.Where(w => !c.Terms.Contains(w.Key) && c.HeadingTerms.Contains(w.Key)).Sum(w => w.Value) / 2;
    }

    // The idf of BM25, always positive.
    private static double Idf(int with, int all) => Math.Log(1 + (all - with + 0.5) / (with + 0.5));
}

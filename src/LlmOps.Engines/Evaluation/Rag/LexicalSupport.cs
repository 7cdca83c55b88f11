using System.Text.RegularExpressions;
using LlmOps.Engines.Retrieval;

namespace LlmOps.Engines.Evaluation.Rag;

/// <summary>
/// Whether the sentences of an answer stand in the texts it was made from, by their words alone: of a sentence's content words (lower case, Porter's stems, without stop words)
/// at least <see cref="Threshold"/> must occur in one text, and every number of the sentence in that same text.
/// </summary>
/// <remarks>
/// Lexical precision over sentences, as knowledge-F1 measures of grounded dialogue take it (Shuster et al. 2021), with the best single passage instead of all of them together. It
/// needs no judge and is exact to repeat; it also knows nothing of meaning: a paraphrase in other words is unsupported, and a sentence that turns its source round with the
/// same words ("is" and "is not") is supported.
/// </remarks>
public static partial class LexicalSupport
{
    /// <summary>Share of a sentence's content words that one text must hold.</summary>
    public const double Threshold = 0.7;

    /// <summary>For each sentence of the answer whether one of the texts supports it, for <see cref="RagMetrics.Faithfulness"/>. Sentences without a content word say nothing and are left out.</summary>
    /// <param name="answer">The answer; numbers in square brackets are citations and no part of a sentence.</param>
    /// <param name="texts">What was retrieved.</param>
    public static IReadOnlyList<bool> Of(string answer, IReadOnlyList<string> texts)
    {
        var known = texts.Select(t => (Terms: EnglishTerms.Of(t).ToHashSet(StringComparer.Ordinal), Numbers: Numbers(t))).ToList();
        var verdicts = new List<bool>();
        foreach (var sentence in Sentences.Of(Citation().Replace(answer, "")))
        {
            var terms = EnglishTerms.Of(sentence);
            if (terms.Count == 0)
                continue;
            var numbers = Numbers(sentence);
            verdicts.Add(known.Exists(t => terms.Count(t.Terms.Contains) >= Threshold * terms.Count && numbers.IsSubsetOf(t.Numbers)));
        }
        return verdicts;
    }

    private static HashSet<string> Numbers(string text) => [.. Number().Matches(text).Select(m => m.Value.Replace(",", "", StringComparison.Ordinal).TrimEnd('.'))];

    [GeneratedRegex(@"\s*\[\s*[0-9]{1,6}(?:\s*[,;]\s*[0-9]{1,6})*\s*\]")]
    private static partial Regex Citation();

    [GeneratedRegex(@"[0-9][0-9,]*(?:\.[0-9]+)?")]
    private static partial Regex Number();
}

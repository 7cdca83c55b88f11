using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Rag;

/// <summary>
/// Measures of answers from retrieved texts: those that need no judge, and the arithmetic of RAGAS (Es et al. 2024) over verdicts that a judge gave.
/// What cannot be computed is null and counts as missing; nothing is ever "not a number".
/// </summary>
public static partial class RagMetrics
{
    // RAGAS adds this to the number of useful contexts, so its values end in …9999; kept, so that they agree.
    private const double Tiny = 1e-10;

    /// <summary>Similarity from which a text counts as the same.</summary>
    public const double SameText = 0.5;

    /// <summary>faithfulness: statements of the answer that the contexts support / all; null if the answer makes none.</summary>
    public static double? Faithfulness(IReadOnlyList<bool> supported) => Share(supported);

    /// <summary>context recall: statements of the reference that the contexts support / all; null if the reference makes none.</summary>
    public static double? ContextRecall(IReadOnlyList<bool> attributable) => Share(attributable);

    /// <summary>context precision: mean over useful contexts of the share of useful ones up to them; 0 if none is useful, null without contexts.</summary>
    /// <param name="useful">Whether each retrieved context is useful, in the order of retrieval.</param>
    public static double? ContextPrecision(IReadOnlyList<bool> useful)
    {
        if (useful.Count == 0)
            return null;
        var (found, sum) = (0, 0.0);
        foreach (var (i, isUseful) in useful.Index())
        {
            if (isUseful)
                sum += ++found / (i + 1.0);
        }
        return sum / (found + Tiny);
    }

    /// <summary>
    /// answer relevancy: mean cosine of the question's embedding with those of questions made from the answer; 0 if one of them was called evasive. Null without questions
    /// or with an embedding of nothing.
    /// </summary>
    public static double? AnswerRelevancy(float[] question, IReadOnlyList<(float[] Embedding, bool Evasive)> generated)
    {
        var cosines = generated.Select(g => Cosine(question, g.Embedding)).ToList();
        if (cosines.Count == 0 || cosines.Contains(null))
            return null;
        return generated.Any(g => g.Evasive) ? 0 : cosines.Average();
    }

    /// <summary>context precision without a judge: a context is useful if it resembles one of the reference contexts.</summary>
    public static double? ContextPrecisionBySimilarity(IReadOnlyList<string> retrieved, IReadOnlyList<string> references, double threshold = SameText) =>
        references.Count == 0 ? null : ContextPrecision([.. retrieved.Select(c => Resembles(c, references, threshold))]);

    /// <summary>context recall without a judge: reference contexts that resemble a retrieved one / all.</summary>
    public static double? ContextRecallBySimilarity(IReadOnlyList<string> retrieved, IReadOnlyList<string> references, double threshold = SameText) =>
        Share([.. references.Select(r => Resembles(r, retrieved, threshold))]);

    /// <summary>Numbers in square brackets, such as [2] and [1, 3], in the order of their first occurrence.</summary>
    public static IReadOnlyList<int> Citations(string answer) =>
        [.. Brackets().Matches(answer).SelectMany(m => m.Groups[1].Captures.Concat(m.Groups[2].Captures)).Select(c => int.Parse(c.ValueSpan, CultureInfo.InvariantCulture)).Distinct()];

    /// <summary>citation precision: cited texts that are relevant / cited texts; null if nothing is cited.</summary>
    public static double? CitationPrecision(IReadOnlyCollection<string> cited, IReadOnlyCollection<string> relevant) => Share([.. cited.Distinct().Select(relevant.Contains)]);

    /// <summary>citation recall: relevant texts that are cited / relevant texts; null if nothing is relevant.</summary>
    public static double? CitationRecall(IReadOnlyCollection<string> cited, IReadOnlyCollection<string> relevant) => Share([.. relevant.Distinct().Select(cited.Contains)]);

    private static bool Resembles(string text, IReadOnlyList<string> others, double threshold) => others.Any(o => StringSimilarity.Of(text, o) >= threshold);

    private static double? Share(IReadOnlyList<bool> verdicts) => verdicts.Count == 0 ? null : verdicts.Count(v => v) / (double)verdicts.Count;

    private static double? Cosine(float[] a, float[] b)
    {
        if (a.Length != b.Length)
            throw new ArgumentException($"The embeddings have {a.Length} and {b.Length} numbers; both must come from one model.");
        double dot = 0, squareA = 0, squareB = 0;
        for (var i = 0; i < a.Length; i++)
            (dot, squareA, squareB) = (dot + (double)a[i] * b[i], squareA + (double)a[i] * a[i], squareB + (double)b[i] * b[i]);
        return squareA > 0 && squareB > 0 ? dot / Math.Sqrt(squareA * squareB) : null;
    }

    [GeneratedRegex(@"\[\s*([0-9]{1,6})(?:\s*[,;]\s*([0-9]{1,6}))*\s*\]")]
    private static partial Regex Brackets();
}

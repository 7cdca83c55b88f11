using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>Agreement with a reference, each 0 to 1.</summary>
/// <param name="Precision">Common / length of the answer.</param>
/// <param name="Recall">Common / length of the reference.</param>
/// <param name="F">2PR/(P+R), 0 if nothing is common.</param>
public readonly record struct RougeScore(double Precision, double Recall, double F)
{
    internal static RougeScore Of(int common, int answer, int reference)
    {
        var (precision, recall) = (common / (double)Math.Max(answer, 1), common / (double)Math.Max(reference, 1));
        return new RougeScore(precision, recall, common == 0 ? 0 : 2 * precision * recall / (precision + recall));
    }
}

/// <summary>
/// ROUGE (Lin 2004) as Google's rouge_score computes it: lower case, letters a–z and digits only, optionally the stems of words longer than three letters.
/// With several references the one with the greatest F counts.
/// </summary>
public static partial class Rouge
{
    /// <summary>ROUGE-N: common n-grams.</summary>
    /// <param name="answer">The model's text.</param>
    /// <param name="references">Accepted texts, at least one.</param>
    /// <param name="n">Words per n-gram, 1 to 9.</param>
    /// <param name="stem">Whether words are reduced to their stems.</param>
    public static RougeScore N(string answer, IReadOnlyList<string> references, int n, bool stem = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(n, 9);
        var found = Words(answer, stem);
        var grams = NGrams.OfWords(found, n);
        return Best(references, r =>
        {
            var wanted = Words(r, stem);
            return RougeScore.Of(NGrams.Common(grams, NGrams.OfWords(wanted, n)), Math.Max(0, found.Length - n + 1), Math.Max(0, wanted.Length - n + 1));
        });
    }

    /// <summary>ROUGE-L: the longest common subsequence of the whole texts; line ends are spaces.</summary>
    /// <inheritdoc cref="N"/>
    public static RougeScore L(string answer, IReadOnlyList<string> references, bool stem = false)
    {
        var found = Words(answer, stem);
        return Best(references, r =>
        {
            var wanted = Words(r, stem);
            return RougeScore.Of(LongestCommon(wanted, found)[wanted.Length, found.Length], found.Length, wanted.Length);
        });
    }

    /// <summary>
    /// ROUGE-Lsum: each line is a sentence; for each sentence of the reference the union of its longest common subsequences with all of the answer's sentences,
    /// no word counted more often than either text has it.
    /// </summary>
    /// <inheritdoc cref="N"/>
    public static RougeScore Lsum(string answer, IReadOnlyList<string> references, bool stem = false)
    {
        var found = Sentences(answer, stem);
        return Best(references, r => Summary(Sentences(r, stem), found));
    }

    private static RougeScore Best(IReadOnlyList<string> references, Func<string, RougeScore> score)
    {
        if (references.Count == 0)
            throw new ArgumentException("ROUGE needs at least one reference for each item.");
        return references.Select(score).MaxBy(s => s.F);
    }

    private static RougeScore Summary(List<string[]> reference, List<string[]> answer)
    {
        var (wanted, given) = (reference.Sum(s => s.Length), answer.Sum(s => s.Length));
        var left = reference.SelectMany(s => s).CountBy(w => w).ToDictionary(StringComparer.Ordinal);
        var available = answer.SelectMany(s => s).CountBy(w => w).ToDictionary(StringComparer.Ordinal);
        var hits = 0;
        foreach (var sentence in reference)
        {
            foreach (var i in answer.SelectMany(a => Positions(sentence, a)).Distinct().Order())
            {
                var word = sentence[i];
                if (available.GetValueOrDefault(word) == 0 || left.GetValueOrDefault(word) == 0)
                    continue;
                available[word]--;
                left[word]--;
                hits++;
            }
        }
        return RougeScore.Of(hits, given, wanted);
    }

    /// <summary>Where in the reference one longest common subsequence lies; of several, the one that rouge_score finds.</summary>
    private static List<int> Positions(string[] reference, string[] answer)
    {
        var table = LongestCommon(reference, answer);
        var positions = new List<int>();
        for (var (i, j) = (reference.Length, answer.Length); i > 0 && j > 0;)
        {
            if (reference[i - 1] == answer[j - 1])
            {
                positions.Add(--i);
                j--;
            }
            else if (table[i, j - 1] > table[i - 1, j])
                j--;
            else
                i--;
        }
        return positions;
    }

    private static int[,] LongestCommon(string[] a, string[] b)
    {
        var table = new int[a.Length + 1, b.Length + 1];
        for (var i = 1; i <= a.Length; i++)
            for (var j = 1; j <= b.Length; j++)
                table[i, j] = a[i - 1] == b[j - 1] ? table[i - 1, j - 1] + 1 : Math.Max(table[i - 1, j], table[i, j - 1]);
        return table;
    }

    private static List<string[]> Sentences(string text, bool stem) => [.. text.Split('\n').Where(s => s.Length > 0).Select(s => Words(s, stem))];

    private static string[] Words(string text, bool stem)
    {
        var words = NoLetter().Replace(text.ToLowerInvariant(), " ").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return stem ? Array.ConvertAll(words, w => w.Length > 3 ? PorterStemmer.Stem(w) : w) : words;
    }

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex NoLetter();
}

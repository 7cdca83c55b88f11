using System.Text;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation;

/// <summary>Comparison of short answers by the rules of SQuAD's official evaluation script (Rajpurkar et al. 2016; v2 for empty answers).</summary>
public static partial class AnswerText
{
    private const string Punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    /// <summary>Lower case, without ASCII punctuation, without the words a, an, the, with single spaces.</summary>
    public static string Normalise(string text)
    {
        var kept = new StringBuilder(text.Length);
        foreach (var c in text.ToLowerInvariant())
        {
            if (!Punctuation.Contains(c, StringComparison.Ordinal))
                kept.Append(c);
        }
        return string.Join(' ', Articles().Replace(kept.ToString(), " ").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>Whether both are the same after <see cref="Normalise"/>.</summary>
    public static bool ExactMatch(string prediction, string reference) => Normalise(prediction) == Normalise(reference);

    /// <summary>
    /// 2PR/(P+R) over the words, repeated words counted: P = common / words predicted, R = common / words of the reference. Both empty: 1; one empty: 0.
    /// </summary>
    public static double F1(string prediction, string reference)
    {
        var predicted = Words(prediction);
        var wanted = Words(reference);
        if (predicted.Length == 0 || wanted.Length == 0)
            return predicted.Length == wanted.Length ? 1 : 0;
        var available = wanted.CountBy(w => w).ToDictionary(StringComparer.Ordinal);
        var common = 0;
        foreach (var word in predicted)
        {
            if (available.TryGetValue(word, out var left) && left > 0)
            {
                available[word] = left - 1;
                common++;
            }
        }
        return 2.0 * common / (predicted.Length + wanted.Length);
    }

    private static string[] Words(string text) => Normalise(text).Split(' ', StringSplitOptions.RemoveEmptyEntries);

    [GeneratedRegex(@"\b(a|an|the)\b")]
    private static partial Regex Articles();
}

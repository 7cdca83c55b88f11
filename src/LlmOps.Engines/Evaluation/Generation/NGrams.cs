using System.Runtime.InteropServices;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>Counts of n-grams. Words are joined by a space, which no word contains.</summary>
internal static class NGrams
{
    public static Dictionary<string, int> OfWords(IReadOnlyList<string> words, int n)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        var window = new string[n];
        for (var i = 0; i + n <= words.Count; i++)
        {
            for (var j = 0; j < n; j++)
                window[j] = words[i + j];
            Count(counts, n == 1 ? window[0] : string.Join(' ', window));
        }
        return counts;
    }

    /// <param name="text">A text.</param>
    /// <param name="starts">Where each code point of the text begins, and its length at the end.</param>
    /// <param name="n">Code points in each.</param>
    public static Dictionary<string, int> OfCharacters(string text, int[] starts, int n)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i + n < starts.Length; i++)
            Count(counts, text[starts[i]..starts[i + n]]);
        return counts;
    }

    /// <summary>Σ min of both counts.</summary>
    public static int Common(Dictionary<string, int> a, Dictionary<string, int> b)
    {
        var common = 0;
        foreach (var (gram, count) in a)
            common += Math.Min(count, b.GetValueOrDefault(gram));
        return common;
    }

    private static void Count(Dictionary<string, int> counts, string gram) => CollectionsMarshal.GetValueRefOrAddDefault(counts, gram, out _)++;
}

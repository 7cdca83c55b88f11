namespace LlmOps.Engines.Evaluation.Contamination;

/// <summary>Jaccard similarity of two sets: |A ∩ B| ÷ |A ∪ B|, from 0 (nothing in common) to 1 (the same set).</summary>
public static class Jaccard
{
    /// <summary>Of two sets that are sorted and hold nothing twice. Two empty sets have nothing in common: 0.</summary>
    public static double OfSorted(ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b)
    {
        int i = 0, j = 0, both = 0;
        while (i < a.Length && j < b.Length)
            if (a[i] == b[j])
            {
                both++;
                i++;
                j++;
            }
            else if (a[i] < b[j])
                i++;
            else
                j++;
        var all = a.Length + b.Length - both;
        return all == 0 ? 0 : (double)both / all;
    }

    /// <summary>Of the sets of n-word shingles themselves, compared word by word: no hash takes part.</summary>
    public static double OfTexts(ContaminationText a, ContaminationText b, int shingleWords)
    {
        var (left, right) = (Windows(a, shingleWords), Windows(b, shingleWords));
        var both = left.Count(right.Contains);
        var all = left.Count + right.Count - both;
        return all == 0 ? 0 : (double)both / all;
    }

    internal static HashSet<string> Windows(ContaminationText text, int n)
    {
        var windows = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i + n <= text.Words; i++)
            windows.Add(text.Window(i, n));
        return windows;
    }
}

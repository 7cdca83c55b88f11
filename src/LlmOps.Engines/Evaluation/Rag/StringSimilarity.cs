namespace LlmOps.Engines.Evaluation.Rag;

/// <summary>1 − edit distance / length of the longer text (Levenshtein 1966), in code units, 0 to 1. Two empty texts are alike.</summary>
public static class StringSimilarity
{
    /// <summary>The similarity.</summary>
    public static double Of(string a, string b)
    {
        if (a.Length < b.Length)
            (a, b) = (b, a);
        if (b.Length == 0)
            return a.Length == 0 ? 1 : 0;
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
            row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return 1 - row[b.Length] / (double)a.Length;
    }
}

using Lucene.Net.Analysis;
using Lucene.Net.Analysis.En;
using Lucene.Net.Analysis.TokenAttributes;
using Lucene.Net.Util;

namespace LlmOps.Engines.Retrieval;

/// <summary>Words as they are indexed: lower case, stemmed (Porter), without stop words.</summary>
internal static class EnglishTerms
{
    public const LuceneVersion Version = LuceneVersion.LUCENE_48;

    public static Analyzer Analyzer { get; } = new EnglishAnalyzer(Version);

    // Words that ask and are not asked about. Lucene's stop words do not have them; left in, "what" and "how" find passages on their own.
    private static readonly HashSet<string> Asking =
    [
        .. new[]
        {
            "what", "how", "who", "whom", "whose", "when", "where", "which", "why", "do", "does", "did", "can", "could", "should", "would", "may",
            "i", "you", "we", "me", "my", "your", "have", "has", "tell", "explain", "please", "about",
        }.SelectMany(Of),
    ];

    /// <summary>The distinct terms of a question that say what it is about.</summary>
    public static IReadOnlyList<string> AskedAbout(string question) => [.. Of(question).Where(t => !Asking.Contains(t))];

    /// <summary>The distinct terms of a text, in order.</summary>
    public static IReadOnlyList<string> Of(string text)
    {
        var terms = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        using var stream = Analyzer.GetTokenStream("text", text);
        var term = stream.GetAttribute<ICharTermAttribute>();
        stream.Reset();
        while (stream.IncrementToken())
        {
            if (seen.Add(term.ToString()!))
                terms.Add(term.ToString()!);
        }
        stream.End();
        return terms;
    }
}

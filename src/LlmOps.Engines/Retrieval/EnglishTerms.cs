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

using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>How BLEU cuts a text into words; the names are sacreBLEU's.</summary>
public enum BleuTokenizer
{
    /// <summary>The rules of the WMT script mteval-v13a.</summary>
    Mteval13a,

    /// <summary>Unicode punctuation and symbols apart, as mteval-v14 with international tokenization.</summary>
    International,

    /// <summary>Each character a word, for languages written without spaces.</summary>
    Characters,

    /// <summary>At white space only: the text is tokenized already.</summary>
    None,
}

internal static partial class BleuWords
{
    public static string Name(BleuTokenizer tokenizer) => tokenizer switch
    {
        BleuTokenizer.Mteval13a => "13a",
        BleuTokenizer.International => "intl",
        BleuTokenizer.Characters => "char",
        _ => "none",
    };

    public static string[] Of(string text, BleuTokenizer tokenizer, bool lowercase)
    {
        text = text.TrimEnd();
        if (lowercase)
            text = text.ToLowerInvariant();
        var spaced = tokenizer switch
        {
            BleuTokenizer.Mteval13a => Mteval13a(text),
            BleuTokenizer.International => Symbol().Replace(BeforeNonDigit().Replace(AfterNonDigit().Replace(text, "$1 $2 "), " $1 $2"), " $1 "),
            BleuTokenizer.Characters => string.Join(' ', text.EnumerateRunes()),
            _ => text,
        };
        return spaced.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
    }

    private static string Mteval13a(string text)
    {
        text = text.Replace("<skipped>", "", StringComparison.Ordinal).Replace("-\n", "", StringComparison.Ordinal).Replace('\n', ' ')
            .Replace("&quot;", "\"", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal)
            .Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal);
        text = AsciiSymbol().Replace($" {text} ", " $1 ");
        text = PointAfterNonDigit().Replace(text, "$1 $2 ");
        text = PointBeforeNonDigit().Replace(text, " $1 $2");
        return DashAfterDigit().Replace(text, "$1 $2 ");
    }

    // ASCII punctuation except ' , - . which depend on their neighbours or belong to a word.
    [GeneratedRegex(@"([{-~[-` -&(-+:-@/])")]
    private static partial Regex AsciiSymbol();

    [GeneratedRegex(@"([^0-9])([.,])", RegexOptions.Singleline)]
    private static partial Regex PointAfterNonDigit();

    [GeneratedRegex(@"([.,])([^0-9])", RegexOptions.Singleline)]
    private static partial Regex PointBeforeNonDigit();

    [GeneratedRegex(@"([0-9])(-)")]
    private static partial Regex DashAfterDigit();

    [GeneratedRegex(@"(\P{N})(\p{P})")]
    private static partial Regex AfterNonDigit();

    [GeneratedRegex(@"(\p{P})(\P{N})")]
    private static partial Regex BeforeNonDigit();

    [GeneratedRegex(@"(\p{S})")]
    private static partial Regex Symbol();
}

using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>Checks of an answer that are right or wrong: 1 or 0.</summary>
public static class TextChecks
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Whether the answer is the text, both without space around.</summary>
    public static double Equal(string answer, string text) => Score(answer.Trim() == text.Trim());

    /// <summary>Whether the answer has the text in it.</summary>
    public static double Contains(string answer, string text) => Score(answer.Contains(text, StringComparison.Ordinal));

    /// <summary>Whether the answer has the text in it, in any case.</summary>
    public static double ContainsIgnoringCase(string answer, string text) => Score(answer.Contains(text, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether the answer has each of the texts in it.</summary>
    public static double ContainsAll(string answer, IEnumerable<string> texts, bool ignoreCase = false) => Score(texts.All(t => answer.Contains(t, Comparison(ignoreCase))));

    /// <summary>Whether the answer has one of the texts in it.</summary>
    public static double ContainsAny(string answer, IEnumerable<string> texts, bool ignoreCase = false) => Score(texts.Any(t => answer.Contains(t, Comparison(ignoreCase))));

    /// <summary>Whether the answer begins with the text.</summary>
    public static double StartsWith(string answer, string text) => Score(answer.StartsWith(text, StringComparison.Ordinal));

    /// <summary>Whether a part of the answer matches a pattern of .NET's regular expressions; use ^ and $ for all of it.</summary>
    /// <exception cref="ArgumentException">The pattern is not valid.</exception>
    /// <exception cref="RegexMatchTimeoutException">It took longer than a second: the pattern backtracks without end.</exception>
    public static double Matches(string answer, string pattern) => Score(Regex.IsMatch(answer, pattern, RegexOptions.CultureInvariant, Patience));

    /// <summary>Whether the whole answer is one JSON value, and satisfies the schema if there is one.</summary>
    public static double IsJson(string answer, JsonSchema? schema = null)
    {
        using var document = Parse(answer);
        return Score(document is not null && (schema is null || schema.FirstProblem(document.RootElement) is null));
    }

    /// <summary>Whether a JSON object or list is in the answer, for example in a fenced block, that satisfies the schema if there is one.</summary>
    public static double ContainsJson(string answer, JsonSchema? schema = null)
    {
        for (var i = answer.AsSpan().IndexOfAny('{', '['); i >= 0;)
        {
            using (var document = ParseAt(answer, i))
            {
                if (document is not null && (schema is null || schema.FirstProblem(document.RootElement) is null))
                    return 1;
            }
            var next = answer.AsSpan(i + 1).IndexOfAny('{', '[');
            i = next < 0 ? -1 : i + 1 + next;
        }
        return 0;
    }

    private static JsonDocument? Parse(string text)
    {
        try
        {
            return JsonDocument.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static JsonDocument? ParseAt(string text, int start)
    {
        var reader = new Utf8JsonReader(System.Text.Encoding.UTF8.GetBytes(text[start..]), isFinalBlock: true, default);
        try
        {
            return JsonDocument.TryParseValue(ref reader, out var document) ? document : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static StringComparison Comparison(bool ignoreCase) => ignoreCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;

    private static double Score(bool passed) => passed ? 1 : 0;
}

using System.Globalization;

namespace LlmOps.Lifecycle.Tracking.Search;

public enum FilterTokenKind { Word, Quoted, Number, Operator, Open, Close, Comma, End }

/// <param name="Text">Without quotes.</param>
/// <param name="Quote">The quote it stood in; 0 where in none.</param>
/// <param name="Position">From 1.</param>
public readonly record struct FilterToken(FilterTokenKind Kind, string Text, char Quote, int Position)
{
    public bool Is(string word) => Kind == FilterTokenKind.Word && Text.Equals(word, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Cuts a filter into tokens. A dot that joins an entity with a quoted key makes a word that ends with the dot.</summary>
public static class FilterTokens
{
    public const int LongestFilter = 50_000;

    public static List<FilterToken> Read(string text)
    {
        if (text.Length > LongestFilter)
            throw LlmOpsException.Invalid($"The filter has {text.Length} characters; {LongestFilter} are allowed.");
        var tokens = new List<FilterToken>();
        var at = 0;
        while (at < text.Length)
        {
            var c = text[at];
            if (char.IsWhiteSpace(c))
                at++;
            else
                tokens.Add(c switch
                {
                    '(' => One(FilterTokenKind.Open, text, ref at),
                    ')' => One(FilterTokenKind.Close, text, ref at),
                    ',' => One(FilterTokenKind.Comma, text, ref at),
                    '\'' or '"' or '`' => Quoted(text, ref at),
                    '=' or '!' or '<' or '>' => Operator(text, ref at),
                    _ when char.IsAsciiDigit(c) || ((c is '-' or '+' or '.') && at + 1 < text.Length && (char.IsAsciiDigit(text[at + 1]) || text[at + 1] == '.')) => NumberOrWord(text, ref at),
                    _ when IsWord(c) => Word(text, ref at),
                    _ => throw Wrong($"'{c}' means nothing here", at),
                });
        }
        tokens.Add(new(FilterTokenKind.End, "", '\0', text.Length + 1));
        return tokens;
    }

    internal static LlmOpsException Wrong(string what, int at) => LlmOpsException.Invalid(string.Create(CultureInfo.InvariantCulture,
        $"Invalid clause(s) in filter string: {what}, at character {at + 1}. Write it as key operator value, for example metrics.accuracy > 0.9 AND params.\"learning rate\" = '0.01'."));

    private static bool IsWord(char c) => char.IsLetterOrDigit(c) || c is '_' or '.' or '-' or '/' or ':' or '@' or '$' or '+' or '%';

    private static FilterToken One(FilterTokenKind kind, string text, ref int at)
    {
        at++;
        return new(kind, text[(at - 1)..at], '\0', at);
    }

    private static FilterToken Quoted(string text, ref int at)
    {
        var (start, quote) = (at, text[at]);
        var content = new System.Text.StringBuilder();
        for (at++; at < text.Length; at++)
        {
            if (text[at] != quote)
                content.Append(text[at]);
            else if (at + 1 < text.Length && text[at + 1] == quote)
                content.Append(text[++at]);     // a doubled quote is the quote itself
            else
            {
                at++;
                return new(FilterTokenKind.Quoted, content.ToString(), quote, start + 1);
            }
        }
        throw Wrong($"the quote {quote} is never closed", start);
    }

    private static FilterToken Operator(string text, ref int at)
    {
        var start = at;
        at += at + 1 < text.Length && text[at + 1] == '=' && text[at] != '=' ? 2 : 1;
        var found = text[start..at];
        return found == "!" ? throw Wrong("'!' stands alone", start) : new(FilterTokenKind.Operator, found, '\0', start + 1);
    }

    private static FilterToken NumberOrWord(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && (IsWord(text[at]) || (text[at] is '-' or '+' && text[at - 1] is 'e' or 'E')))
            at++;
        var found = text[start..at];
        return double.TryParse(found, NumberStyles.Float, CultureInfo.InvariantCulture, out _) ? new(FilterTokenKind.Number, found, '\0', start + 1) : new(FilterTokenKind.Word, found, '\0', start + 1);
    }

    private static FilterToken Word(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && IsWord(text[at]))
            at++;
        return new(FilterTokenKind.Word, text[start..at], '\0', start + 1);
    }
}

using System.Text;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Text.Templates;

/// <summary>
/// Cuts a template into tokens as Jinja does with <c>trim_blocks</c> and <c>lstrip_blocks</c>, which is how transformers sets it: the line break after a
/// block or comment and the indentation before one are not part of the text; a minus at a delimiter takes all white space on its side, a plus keeps it.
/// </summary>
internal sealed class TemplateLexer
{
    private static readonly string[] Operators =
        ["**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|"];

    private static readonly Regex RawStart = new(@"\G\s*raw\s*(-?)%\}", RegexOptions.CultureInvariant);
    private static readonly Regex RawEnd = new(@"\{%([-+]?)\s*endraw\s*([-+]?)%\}", RegexOptions.CultureInvariant);

    private readonly string source;
    private readonly List<TemplateToken> tokens = [];
    private int at;
    private int line = 1;
    private bool lineStarts = true;

    private TemplateLexer(string source)
    {
        source = source.ReplaceLineEndings("\n");
        this.source = source.EndsWith('\n') ? source[..^1] : source;
    }

    /// <exception cref="InvalidModelException">A delimiter or a string is not closed, or a character has no meaning.</exception>
    public static List<TemplateToken> Read(string source)
    {
        var lexer = new TemplateLexer(source);
        while (lexer.at < lexer.source.Length)
            lexer.TextAndTag();
        lexer.Add(TokenKind.End, "");
        return lexer.tokens;
    }

    private void TextAndTag()
    {
        var open = at;
        while (open < source.Length && !(source[open] == '{' && open + 1 < source.Length && source[open + 1] is ('{' or '%' or '#')))
            open++;
        if (open == source.Length)
        {
            AddText(source[at..]);
            at = open;
            return;
        }
        var kind = source[open + 1];
        var sign = open + 2 < source.Length ? source[open + 2] : ' ';
        var text = source[at..open];
        if (sign == '-')
            text = text.TrimEnd(TextMethods.Spaces);
        else if (kind != '{' && sign != '+')
            text = WithoutIndentation(text);
        AddText(text);
        Advance(open + 2 + (sign is '-' or '+' ? 1 : 0));
        switch (kind)
        {
            case '#':
                var close = source.IndexOf("#}", at, StringComparison.Ordinal);
                if (close < 0)
                    throw TemplateError.Invalid(line, "a comment {# is not closed.");
                // The minus of {#-#} belongs to the beginning.
                var minus = close > at && source[close - 1] == '-';
                Advance(close);
                CloseTag(2, minus, !minus);
                break;
            case '%' when Raw():
                break;
            case '%':
                Add(TokenKind.BlockStart, "{%");
                Inside("%}", TokenKind.BlockEnd, trimLineEnd: true);
                break;
            default:
                Add(TokenKind.ExpressionStart, "{{");
                Inside("}}", TokenKind.ExpressionEnd, trimLineEnd: false);
                break;
        }
    }

    private string WithoutIndentation(string text)
    {
        var start = text.LastIndexOf('\n') + 1;
        return (start > 0 || lineStarts) && text.AsSpan(start).Trim(TextMethods.Spaces).IsEmpty ? text[..start] : text;
    }

    private void Inside(string close, TokenKind end, bool trimLineEnd)
    {
        var depth = 0;
        while (true)
        {
            while (at < source.Length && char.IsWhiteSpace(source[at]))
                Advance(at + 1);
            if (at == source.Length)
                throw TemplateError.Invalid(line, $"a tag is not closed with {close}.");
            var sign = source[at] is '-' or '+' ? 1 : 0;
            // A dictionary may end right before the tag does: {{ {'a': {}} }}
            if (depth == 0 && string.CompareOrdinal(source, at + sign, close, 0, 2) == 0)
            {
                Add(end, close);
                var (minus, plus) = (source[at] == '-', source[at] == '+');
                Advance(at + sign);
                CloseTag(2, minus, trimLineEnd && !minus && !plus);
                return;
            }
            Token(ref depth);
        }
    }

    private void CloseTag(int length, bool takeSpace, bool takeLineEnd)
    {
        var start = at;
        Advance(at + length);
        if (takeSpace)
            while (at < source.Length && TextMethods.IsSpace(source[at]))
                Advance(at + 1);
        else if (takeLineEnd && at < source.Length && source[at] == '\n')
            Advance(at + 1);
        lineStarts = at > start && source[at - 1] == '\n';
    }

    private void Token(ref int depth)
    {
        var c = source[at];
        var start = at;
        if (char.IsLetter(c) || c == '_')
        {
            while (at < source.Length && (char.IsLetterOrDigit(source[at]) || source[at] == '_'))
                at++;
            Add(TokenKind.Name, source[start..at]);
        }
        else if (char.IsAsciiDigit(c))
        {
            Number();
            Add(TokenKind.Number, source[start..at].Replace("_", "", StringComparison.Ordinal));
        }
        else if (c is '"' or '\'')
        {
            Add(TokenKind.String, StringValue(c));
        }
        else
        {
            var op = Array.Find(Operators, o => string.CompareOrdinal(source, at, o, 0, o.Length) == 0)
                ?? throw TemplateError.Invalid(line, $"the character '{c}' has no meaning in a tag.");
            depth += op is "(" or "[" or "{" ? 1 : op is ")" or "]" or "}" ? -1 : 0;
            Add(TokenKind.Operator, op);
            at += op.Length;
        }
    }

    private void Number()
    {
        while (at < source.Length && (char.IsAsciiDigit(source[at]) || source[at] == '_'))
            at++;
        if (at + 1 < source.Length && source[at] == '.' && char.IsAsciiDigit(source[at + 1]))
            for (at++; at < source.Length && char.IsAsciiDigit(source[at]);)
                at++;
        var exponent = at + 1 < source.Length && source[at] is 'e' or 'E' ? at + (source[at + 1] is '+' or '-' ? 2 : 1) : source.Length;
        if (exponent < source.Length && char.IsAsciiDigit(source[exponent]))
            for (at = exponent; at < source.Length && char.IsAsciiDigit(source[at]);)
                at++;
    }

    private string StringValue(char quote)
    {
        var value = new StringBuilder();
        for (Advance(at + 1); at < source.Length && source[at] != quote; Advance(at + 1))
        {
            if (source[at] != '\\' || at + 1 == source.Length)
            {
                value.Append(source[at]);
                continue;
            }
            Advance(at + 1);
            switch (source[at])
            {
                case '\n': break;
                case 'n': value.Append('\n'); break;
                case 't': value.Append('\t'); break;
                case 'r': value.Append('\r'); break;
                case 'b': value.Append('\b'); break;
                case 'f': value.Append('\f'); break;
                case 'v': value.Append('\v'); break;
                case 'a': value.Append('\a'); break;
                case '0': value.Append('\0'); break;
                case '\\' or '\'' or '"': value.Append(source[at]); break;
                case 'x': value.Append((char)Hex(2)); break;
                case 'u': value.Append((char)Hex(4)); break;
                case 'U': value.Append(Hex(8) is var point && Rune.IsValid(point) ? new Rune(point).ToString() : throw TemplateError.Invalid(line, "\\U names no character.")); break;
                default: value.Append('\\').Append(source[at]); break;
            }
        }
        if (at >= source.Length)
            throw TemplateError.Invalid(line, "a string is not closed.");
        Advance(at + 1);
        return value.ToString();
    }

    private int Hex(int digits)
    {
        if (at + digits >= source.Length || !int.TryParse(source.AsSpan(at + 1, digits), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var value))
            throw TemplateError.Invalid(line, $"an escape needs {digits} hexadecimal digits.");
        at += digits;
        return value;
    }

    // {% raw %} … {% endraw %}: text that only looks like tags.
    private bool Raw()
    {
        var match = RawStart.Match(source, at);
        if (!match.Success)
            return false;
        var end = RawEnd.Match(source, at + match.Length);
        if (!end.Success)
            throw TemplateError.Invalid(line, "raw has no endraw.");
        Advance(at + match.Length);
        if (match.Groups[1].Length == 0 && at < source.Length && source[at] == '\n')
            Advance(at + 1);
        var text = source[at..Math.Max(at, end.Index)];
        text = match.Groups[1].Length > 0 ? text.TrimStart(TextMethods.Spaces) : text;
        AddText(end.Groups[1].Value switch { "-" => text.TrimEnd(TextMethods.Spaces), "+" => text, _ => WithoutIndentation(text) });
        Advance(end.Index + end.Length - 2);
        CloseTag(2, end.Groups[2].Value == "-", end.Groups[2].Length == 0);
        return true;
    }

    private void AddText(string text)
    {
        if (text.Length > 0)
            Add(TokenKind.Text, text);
    }

    private void Add(TokenKind kind, string text) => tokens.Add(new TemplateToken(kind, text, line));

    private void Advance(int to)
    {
        line += source.AsSpan(at, Math.Min(to, source.Length) - at).Count('\n');
        at = Math.Min(to, source.Length);
    }
}

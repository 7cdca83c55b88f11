using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>
/// Translates the regular expressions of <c>tokenizer.json</c>, which are in Oniguruma's Ruby dialect, to .NET's: possessive quantifiers become atomic
/// groups, sets with intersections become look-aheads, <c>\w</c> and <c>\b</c> get Unicode's meaning, line anchors work at every line.
/// </summary>
internal sealed partial class OnigurumaPattern
{
    private readonly string source;
    private readonly string where;
    private readonly List<(int First, int Last)> named = [];
    private int at;
    private bool ignoreCase;

    private OnigurumaPattern(string source, string where) => (this.source, this.where) = (source, where);

    /// <summary>Makes a pattern; the well-known ones get a scanner.</summary>
    /// <param name="source">The expression as it stands in the file.</param>
    /// <param name="where">The component that holds it, for messages.</param>
    /// <exception cref="InvalidModelException">It is no regular expression.</exception>
    /// <exception cref="UnsupportedModelException">It uses something that has no counterpart.</exception>
    public static TextPattern Parse(string source, string where) =>
        WordScanners.ByPattern.TryGetValue(source, out var scanner) ? new ScannerPattern(scanner) : ParseRegex(source, where);

    /// <summary>The same without scanners.</summary>
    public static RegexPattern ParseRegex(string source, string where)
    {
        var translation = new OnigurumaPattern(source, where);
        var pattern = translation.Alternatives(depth: 0);
        if (translation.at < source.Length)
            throw translation.Invalid("an unmatched ')'");
        try
        {
            return new RegexPattern(new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled), new AstralStandIns(translation.named));
        }
        catch (ArgumentException e)
        {
            throw new InvalidModelException($"{where}: the regular expression '{source}' is not valid: {e.Message}", e);
        }
    }

    private char Peek => at < source.Length ? source[at] : '\0';

    private InvalidModelException Invalid(string what) => new($"{where}: the regular expression '{source}' has {what} at position {at}.");

    private UnsupportedModelException Unsupported(string what) => new($"{where}: the regular expression '{source}' uses {what}, which is not supported.");

    private string Alternatives(int depth)
    {
        if (depth > 100)
            throw Invalid("too many groups inside each other");
        var outer = ignoreCase;
        var result = new StringBuilder();
        while (at < source.Length && source[at] != ')')
        {
            if (source[at] == '|')
            {
                result.Append('|');
                at++;
                continue;
            }
            var atom = Atom(depth);
            result.Append(Quantified(atom));
        }
        ignoreCase = outer;
        return result.ToString();
    }

    // Ruby's dialect: ?+ *+ ++ are possessive, but {n,m}+ is a quantifier on a quantifier.
    private string Quantified(string atom)
    {
        while (Quantifier() is { Length: > 0 } quantifier)
        {
            var simple = quantifier is "?" or "*" or "+";
            if (simple && Peek == '+')
            {
                at++;
                atom = $"(?>{atom}{quantifier})";
            }
            else if (Peek == '?' && (simple || quantifier.Contains(',')))
            {
                at++;
                atom = $"(?:{atom}{quantifier}?)";
            }
            else
            {
                atom = Peek is '*' or '+' or '?' or '{' ? $"(?:{atom}{quantifier})" : atom + quantifier;
            }
        }
        return atom;
    }

    private string Quantifier()
    {
        if (Peek is '?' or '*' or '+')
            return source[at++].ToString();
        if (Peek != '{')
            return "";
        var match = Regex.Match(source[at..], @"^\{(\d{0,5})(,?)(\d{0,5})\}");
        if (!match.Success || match.Value is "{}" or "{,}")
            return "";
        at += match.Length;
        return match.Groups[1].Length > 0 ? match.Value : $"{{0,{match.Groups[3].Value}}}";
    }

    private string Atom(int depth)
    {
        var c = source[at];
        switch (c)
        {
            case '(': return Group(depth);
            case '[': return CharacterClass(0);
            case '.': at++; return @"[^\n]";
            case '^': at++; return @"(?<![^\n])";
            case '$': at++; return @"(?=\n|\z)";
            case '*' or '+' or '?': throw Invalid("a quantifier without something to repeat");
            case '\\': return Escape();
            default: return Literal(NextCodePoint());
        }
    }

    private string Group(int depth)
    {
        at++;
        var opening = "(?:";
        if (Peek == '?')
        {
            var match = Regex.Match(source[at..], @"^\?(?:(?<open>[:=!>]|<[=!])|<\w+>|(?<flags>[imx]*(?:-[imx]+)?)(?<end>[:)]))");
            if (!match.Success || match.Groups["flags"].Value.Contains('x') || match.Groups["flags"].Value.Contains('m'))
                throw Unsupported($"the group '({source.Substring(at, Math.Min(4, source.Length - at))}…'");
            at += match.Length;
            if (match.Groups["open"].Success)
                opening = "(?" + match.Groups["open"].Value;
            var (flags, outer) = (match.Groups["flags"].Value, ignoreCase);
            if (flags.Length > 0)
                ignoreCase = !flags.StartsWith('-');
            if (match.Groups["end"].Value == ")")
                return "";
            var scoped = opening + Alternatives(depth + 1) + Close();
            ignoreCase = outer;
            return scoped;
        }
        return opening + Alternatives(depth + 1) + Close();
    }

    private string Close()
    {
        if (Peek != ')')
            throw Invalid("a group that is not closed");
        at++;
        return ")";
    }

    private string Escape()
    {
        at++;
        var c = Peek;
        switch (c)
        {
            case 'A' or 'z' or 'Z' or 'G': at++; return "\\" + c;
            case 'b': at++; return $"(?:(?<=[{WordClass}])(?![{WordClass}])|(?<![{WordClass}])(?=[{WordClass}]))";
            case 'B': at++; return $"(?:(?<=[{WordClass}])(?=[{WordClass}])|(?<![{WordClass}])(?![{WordClass}]))";
            case 'R' or 'X' or 'K' or 'k' or 'g' or (>= '1' and <= '9'): throw Unsupported("\\" + c);
        }
        return ClassEscape(WordClass) is { } set ? $"[{set}]" : Literal(EscapedCodePoint());
    }

    private string Literal(int code)
    {
        if (code > 0xFFFF)
            throw Unsupported("characters beyond U+FFFF");
        var set = new StringBuilder();
        AppendRange(set, code, code);
        return $"[{set}]";
    }

    private int NextCodePoint()
    {
        if (at >= source.Length)
            throw Invalid("an unexpected end");
        if (Rune.DecodeFromUtf16(source.AsSpan(at), out var rune, out var width) != System.Buffers.OperationStatus.Done)
            throw Invalid("half a surrogate pair");
        at += width;
        return rune.Value;
    }

    private int EscapedCodePoint()
    {
        if (at >= source.Length)
            throw Invalid("a backslash at its end");
        var hex = Regex.Match(source[at..], @"^(?:u([0-9A-Fa-f]{4})|x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2}))");
        if (hex.Success)
        {
            at += hex.Length;
            return int.Parse(string.Concat(hex.Groups[1].Value, hex.Groups[2].Value, hex.Groups[3].Value), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }
        var c = NextCodePoint();
        return c switch
        {
            'n' => '\n', 'r' => '\r', 't' => '\t', 'f' => '\f', 'v' => '\v', 'a' => '\a', 'e' => 0x1B, '0' => 0,
            _ when c < 128 && char.IsAsciiLetterOrDigit((char)c) => throw Unsupported("\\" + (char)c),
            _ => c,
        };
    }
}

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>
/// Translates the regular expressions of <c>tokenizer.json</c>, which are in Oniguruma's Ruby dialect, to .NET's: possessive quantifiers become atomic
/// groups, sets with intersections become look-aheads, <c>\w</c> and <c>\b</c> get Unicode's meaning, line anchors work at every line.
/// </summary>
internal sealed class OnigurumaPattern
{
    private const string Word = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9";
    // Oniguruma's \w has the superscripts and fractions of Latin-1 besides, and no others, but not inside brackets.
    private const string WordClass = Word + @"\u00B2\u00B3\u00B9\u00BC-\u00BE";

    // alpha, alnum, upper and lower need properties that .NET has no data for.
    private static readonly Dictionary<string, string> Posix = new(StringComparer.OrdinalIgnoreCase)
    {
        ["digit"] = @"\p{Nd}", ["space"] = @"\s", ["punct"] = @"\p{P}\p{S}", ["word"] = Word, ["xdigit"] = "0-9A-Fa-f", ["blank"] = @"\p{Zs}\t", ["cntrl"] = @"\p{Cc}", ["ascii"] = @"\x00-\x7F",
    };

    // Two of them mean something else as \p{…}.
    private static readonly Dictionary<string, string> Properties = new(Posix, StringComparer.OrdinalIgnoreCase) { ["punct"] = @"\p{P}", ["word"] = WordClass };

    private static readonly Dictionary<string, string> LongNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = "L", ["Mark"] = "M", ["Number"] = "N", ["Punctuation"] = "P", ["Symbol"] = "S", ["Separator"] = "Z", ["Other"] = "C",
        ["Uppercase_Letter"] = "Lu", ["Lowercase_Letter"] = "Ll", ["Titlecase_Letter"] = "Lt", ["Modifier_Letter"] = "Lm", ["Other_Letter"] = "Lo",
        ["Decimal_Number"] = "Nd", ["Letter_Number"] = "Nl", ["Other_Number"] = "No", ["Nonspacing_Mark"] = "Mn", ["Spacing_Mark"] = "Mc", ["Enclosing_Mark"] = "Me",
    };

    private static readonly HashSet<string> Categories =
        [.. "L M N P S Z C Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".Split(' ')];

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

    // What may stand inside brackets as it is: \s, \p{…}; null when the escape means one character.
    private string? ClassEscape(string word)
    {
        switch (Peek)
        {
            case 's' or 'S' or 'd' or 'D': return "\\" + source[at++];
            case 'w': at++; return word;
            case 'W': at++; return Complement(word);
            case 'h': at++; return "0-9A-Fa-f";
            case 'H': at++; return Complement("0-9A-Fa-f");
            case 'p' or 'P': return Property();
            default: return null;
        }
    }

    private string Property()
    {
        var negated = source[at++] == 'P';
        var match = Regex.Match(source[at..], @"^\{(?<not>\^?)(?<name>[\w ]+)\}|^(?<name>[A-Z])");
        if (!match.Success)
            throw Invalid("a property without a name");
        at += match.Length;
        negated ^= match.Groups["not"].Length > 0;
        var name = match.Groups["name"].Value.Replace(' ', '_');
        if (LongNames.TryGetValue(name, out var category) || Categories.TryGetValue(name, out category))
            return $"\\{(negated ? 'P' : 'p')}{{{category}}}";
        if (name.Equals("Any", StringComparison.OrdinalIgnoreCase) && !negated)
            return @"\s\S";
        if (!Scripts.Classes.TryGetValue(name, out var set) && !Properties.TryGetValue(name, out set))
            throw Unsupported($"the property '{name}'");
        return negated ? Complement(set) : set;
    }

    // The complement of ranges and categories, as something that may stand inside brackets.
    private string Complement(string set)
    {
        if (set == "0-9A-Fa-f")
            return @"\x00-/:-@G-`g-\uFFFF";
        var members = new Regex($"[{set}]", RegexOptions.CultureInvariant);
        var ranges = new StringBuilder();
        for (var c = 0; c < 0x10000; c++)
        {
            var first = c;
            while (c < 0x10000 && !members.IsMatch(((char)c).ToString()))
                c++;
            if (c > first)
                ranges.Append(CultureInfo.InvariantCulture, $"\\u{first:X4}-\\u{c - 1:X4}");
        }
        return ranges.ToString();
    }

    // [a-z&&[^aeiou]]: the parts of an intersection must all hold, the parts of a union one of them; each is a test of the next character.
    private string CharacterClass(int depth)
    {
        if (depth > 20)
            throw Invalid("too many sets inside each other");
        at++;
        var negated = Peek == '^';
        if (negated)
            at++;
        var tests = new List<string>();
        var (plain, nested, first) = (new StringBuilder(), new List<string>(), true);
        for (; first || Peek != ']'; first = false)
        {
            if (at >= source.Length)
                throw Invalid("a set that is not closed");
            if (source[at] == '[' && source.AsSpan(at).StartsWith("[:") && source.IndexOf(":]", at, StringComparison.Ordinal) is var end and > 0)
            {
                var name = source[(at + 2)..end];
                if (!Posix.TryGetValue(name.TrimStart('^'), out var set))
                    throw Unsupported($"the set '[:{name}:]'");
                plain.Append(name.StartsWith('^') ? Complement(set) : set);
                at = end + 2;
            }
            else if (source[at] == '[')
            {
                nested.Add(CharacterClass(depth + 1));
            }
            else if (source.AsSpan(at).StartsWith("&&"))
            {
                at += 2;
                tests.Add(Union(plain, nested));
                (plain, nested) = (new StringBuilder(), []);
            }
            else
            {
                Member(plain);
            }
        }
        at++;
        if (tests.Count == 0 && nested.Count == 0 && plain.Length > 0)
            return $"[{(negated ? "^" : "")}{plain}]";
        tests.Add(Union(plain, nested));
        return string.Concat(tests.Select(t => $"(?={t})")) is var all && negated ? $"(?:(?!{all})[\\s\\S])" : $"(?:{all}[\\s\\S])";
    }

    private string Union(StringBuilder plain, List<string> nested)
    {
        if (plain.Length == 0 && nested.Count == 0)
            throw Invalid("an empty set");
        return plain.Length == 0 ? $"(?:{string.Join('|', nested)})" : $"(?:{string.Join('|', [$"[{plain}]", .. nested])})";
    }

    private void Member(StringBuilder set)
    {
        int low;
        if (source[at] == '\\')
        {
            at++;
            if (ClassEscape(Word) is { } escape)
            {
                set.Append(escape);
                return;
            }
            low = EscapedCodePoint();
        }
        else
        {
            low = NextCodePoint();
        }
        var high = low;
        if (Peek == '-' && at + 1 < source.Length && source[at + 1] != ']' && source[at + 1] != '[')
        {
            at++;
            if (source[at] == '\\')
            {
                at++;
                if (Peek is 's' or 'S' or 'd' or 'D' or 'w' or 'W' or 'p' or 'P' or 'h' or 'H')
                    throw Unsupported("a range that ends in a class");
                high = EscapedCodePoint();
            }
            else
            {
                high = NextCodePoint();
            }
        }
        if (high < low)
            throw Invalid("a range whose end is before its start");
        AppendRange(set, low, high);
    }

    private void AppendRange(StringBuilder set, int low, int high)
    {
        if (high > 0xFFFF && low <= 0xFFFF)
            high = high == 0x10FFFF ? 0xFFFF : throw Unsupported("a range that ends beyond U+FFFF");
        if (low > 0xFFFF)
            throw Unsupported("characters beyond U+FFFF");
        // All of the basic plane and all beyond it: stand-ins need no care. A narrower range must not meet one.
        if (high != 0xFFFF)
            named.Add((low, high));
        set.Append(CultureInfo.InvariantCulture, $"\\u{low:X4}");
        if (high > low)
            set.Append(CultureInfo.InvariantCulture, $"-\\u{high:X4}");
        if (!ignoreCase)
            return;
        for (var c = low; c <= Math.Min(high, 0x24F); c++)
            AppendCaseVariants(set, (char)c);
    }

    private static void AppendCaseVariants(StringBuilder set, char c)
    {
        foreach (var variant in new[] { char.ToLowerInvariant(c), char.ToUpperInvariant(c), (c | 0x20) == 's' ? 'ſ' : c, (c | 0x20) == 'k' ? '\u212A' : c })
        {
            if (variant != c)
                set.Append(CultureInfo.InvariantCulture, $"\\u{(int)variant:X4}");
        }
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

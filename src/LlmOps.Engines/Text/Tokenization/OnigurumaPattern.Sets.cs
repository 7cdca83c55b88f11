using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Sets of characters: properties, POSIX names, brackets with unions and intersections.</summary>
internal sealed partial class OnigurumaPattern
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
}

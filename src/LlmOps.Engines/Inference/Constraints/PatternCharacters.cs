using System.Globalization;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>One character, class or escape of a regular expression, as ranges of code points.</summary>
internal static class PatternCharacters
{
    private static readonly (int, int)[] Digits = [('0', '9')];
    private static readonly (int, int)[] Word = [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
    private static readonly (int, int)[] Spaces =
        [(9, 13), (' ', ' '), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)];
    private static readonly (int, int)[] LineEnds = [('\n', '\n'), ('\r', '\r'), (0x2028, 0x2029)];

    /// <exception cref="ArgumentException">Malformed or not supported.</exception>
    public static IReadOnlyList<(int First, int Last)> Next(string pattern, ref int at)
    {
        switch (pattern[at])
        {
            case '.':
                at++;
                return CodePoints.Complement(LineEnds);
            case '[':
                at++;
                return Class(pattern, ref at);
            case '\\':
                return Escape(pattern, ref at, inClass: false);
            case '*' or '+' or '?' or '{' or '}' or ')' or ']' or '^' or '$':
                throw new ArgumentException($"'{pattern[at]}' at position {at} is not expected or not supported there.");
            default:
                return One(Character(pattern, ref at));
        }
    }

    private static IReadOnlyList<(int First, int Last)> Class(string pattern, ref int at)
    {
        var ranges = new List<(int First, int Last)>();
        var negated = at < pattern.Length && pattern[at] == '^';
        at += negated ? 1 : 0;
        while (at < pattern.Length && pattern[at] != ']')
        {
            var low = Member(pattern, ref at);
            if (low is [var (first, same)] && first == same && at + 1 < pattern.Length && pattern[at] == '-' && pattern[at + 1] != ']')
            {
                at++;
                if (Member(pattern, ref at) is not [var (last, alike)] || last != alike || last < first)
                    throw new ArgumentException($"a range of the class before position {at} has no end or its ends the wrong way round.");
                ranges.Add((first, last));
            }
            else
            {
                ranges.AddRange(low);
            }
        }
        if (at == pattern.Length)
            throw new ArgumentException("a class [ ] is not closed.");
        at++;
        return negated ? CodePoints.Complement(ranges) : ranges;
    }

    private static IReadOnlyList<(int First, int Last)> Member(string pattern, ref int at) =>
        at < pattern.Length && pattern[at] == '\\' ? Escape(pattern, ref at, inClass: true)
        : at < pattern.Length ? One(Character(pattern, ref at))
        : throw new ArgumentException("a class [ ] is not closed.");

    private static IReadOnlyList<(int First, int Last)> Escape(string pattern, ref int at, bool inClass)
    {
        var start = at;
        at += 2;
        if (start + 1 == pattern.Length)
            throw new ArgumentException("it ends with a backslash.");
        switch (pattern[start + 1])
        {
            case 'd': return Digits;
            case 'D': return CodePoints.Complement(Digits);
            case 'w': return Word;
            case 'W': return CodePoints.Complement(Word);
            case 's': return Spaces;
            case 'S': return CodePoints.Complement(Spaces);
            case 'n': return One('\n');
            case 'r': return One('\r');
            case 't': return One('\t');
            case 'f': return One('\f');
            case 'v': return One('\v');
            case '0': return One(0);
            case 'b' when inClass: return One('\b');
            case 'x': return One(Hex(pattern, ref at, 2));
            case 'u':
                var unit = Hex(pattern, ref at, 4);
                return char.IsSurrogate((char)unit) ? throw new ArgumentException($"the surrogate at position {start} is not supported; write the character itself.") : One(unit);
            case var c when char.IsAsciiLetterOrDigit(c):
                throw new ArgumentException($"\\{c} at position {start} is not supported.");
            case var c:
                return One(c);
        }
    }

    private static int Hex(string pattern, ref int at, int digits)
    {
        if (at + digits > pattern.Length || !int.TryParse(pattern.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            throw new ArgumentException($"the escape before position {at} needs {digits} hexadecimal digits.");
        at += digits;
        return value;
    }

    private static int Character(string pattern, ref int at)
    {
        if (char.IsSurrogate(pattern[at]) && (at + 1 == pattern.Length || !char.IsSurrogatePair(pattern, at)))
            throw new ArgumentException($"half of a surrogate pair at position {at}.");
        var c = char.ConvertToUtf32(pattern, at);
        at += char.IsSurrogate(pattern[at]) ? 2 : 1;
        return c;
    }

    private static (int, int)[] One(int c) => [(c, c)];
}

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Unicode scripts that splitting patterns name and .NET's regular expressions do not know (Unicode's Scripts.txt, the basic plane as character class).</summary>
internal static class Scripts
{
    private const string HanClass = "\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u3005\u3007\u3021-\u3029\u3038-\u303B\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFA6D\uFA70-\uFAD9";
    private const string HiraganaClass = "\u3041-\u3096\u309D-\u309F";
    private const string KatakanaClass = "\u30A1-\u30FA\u30FD-\u30FF\u31F0-\u31FF\u32D0-\u32FE\u3300-\u3357\uFF66-\uFF6F\uFF71-\uFF9D";
    private const string HangulClass = "\u1100-\u11FF\u302E-\u302F\u3131-\u318E\u3200-\u321E\u3260-\u327E\uA960-\uA97C\uAC00-\uD7A3\uD7B0-\uD7C6\uD7CB-\uD7FB\uFFA0-\uFFBE\uFFC2-\uFFC7\uFFCA-\uFFCF\uFFD2-\uFFD7\uFFDA-\uFFDC";

    /// <summary>Names and the content of a character class.</summary>
    public static IReadOnlyDictionary<string, string> Classes { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        ["Han"] = HanClass, ["Hiragana"] = HiraganaClass, ["Katakana"] = KatakanaClass, ["Hangul"] = HangulClass,
    };

    public static bool IsHan(int code) => code is >= 0x20000 and <= 0x2A6DF or >= 0x2A700 and <= 0x2EBE0 or >= 0x2EBF0 and <= 0x2EE5D or >= 0x2F800 and <= 0x2FA1D
        or >= 0x30000 and <= 0x323AF or 0x16FE2 or 0x16FE3 or 0x16FF0 or 0x16FF1 || Holds(HanClass, code);

    public static bool IsJapaneseOrKorean(int code) => Holds(HiraganaClass, code) || Holds(KatakanaClass, code) || Holds(HangulClass, code);

    /// <summary>Letters in circles and squares: symbols by category, and yet alphabetic and so word characters.</summary>
    public static bool IsAlphabeticSymbol(int code) => code is >= 0x24B6 and <= 0x24E9 or >= 0x1F130 and <= 0x1F149 or >= 0x1F150 and <= 0x1F169 or >= 0x1F170 and <= 0x1F189;

    private static bool Holds(string ranges, int code)
    {
        for (var i = 0; i < ranges.Length; i++)
        {
            var last = i + 2 < ranges.Length && ranges[i + 1] == '-' ? ranges[i + 2] : ranges[i];
            if (code >= ranges[i] && code <= last)
                return true;
            if (last != ranges[i])
                i += 2;
        }
        return false;
    }
}

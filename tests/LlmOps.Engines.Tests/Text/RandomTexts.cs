using System.Text;

namespace LlmOps.Engines.Tests.Text;

/// <summary>Texts of scalar values from all planes, with words and white space between.</summary>
internal static class RandomTexts
{
    private static readonly string[] Words = ["the ", "don't", "WE'LL", "HTTPServer", " 12345", "\r\n", "\n\n ", "   ", "\t", "...", "/*", "e\u0301", "日本", "한국", "𝐀𝐁", "👩‍🚀", "ǅ", "ʰ", "ſ", "'ſ", "\u00A0", "▁", "<s>", "हिन्दी"];

    public static string Next(Random random)
    {
        var text = new StringBuilder();
        for (var count = random.Next(12); count >= 0; count--)
            text.Append(random.Next(3) == 0 ? RandomRune(random).ToString() : Words[random.Next(Words.Length)]);
        return text.ToString();
    }

    private static Rune RandomRune(Random random)
    {
        while (true)
        {
            if (Rune.TryCreate(random.Next(4) switch { 0 => random.Next(128), 1 => random.Next(0x800), 2 => random.Next(0x10000), _ => random.Next(0x110000) }, out var rune))
                return rune;
        }
    }
}

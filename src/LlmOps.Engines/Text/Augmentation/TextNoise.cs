using System.Text;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Text.Augmentation;

/// <summary>Changes of a text with their number. Spaces between words stay as they are; characters outside the basic plane are never cut.</summary>
internal static partial class TextNoise
{
    private const string Letters = "abcdefghijklmnopqrstuvwxyz";

    /// <summary>Each letter is swapped with the next, dropped, doubled or replaced, with this probability.</summary>
    public static (string Text, int Changes) Characters(string text, double rate, Random random)
    {
        var (result, changes) = (new StringBuilder(text.Length), 0);
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsAsciiLetter(text[i]) || random.NextDouble() >= rate)
            {
                result.Append(text[i]);
                continue;
            }
            changes++;
            switch (random.Next(4))
            {
                case 0 when i + 1 < text.Length && char.IsAsciiLetter(text[i + 1]):
                    result.Append(text[i + 1]).Append(text[i]);
                    i++;
                    break;
                case 1:
                    break;
                case 2:
                    result.Append(text[i], 2);
                    break;
                default:
                    // Never itself: one of the 25 others.
                    int letter = Letters.IndexOf(char.ToLowerInvariant(text[i])), other = (letter + 1 + random.Next(25)) % 26;
                    result.Append(char.IsUpper(text[i]) ? char.ToUpperInvariant(Letters[other]) : Letters[other]);
                    break;
            }
        }
        // A text of nothing is no example.
        return string.IsNullOrWhiteSpace(result.ToString()) ? (text, 0) : (result.ToString(), changes);
    }

    /// <summary>Each word changes places with the next one, with this probability.</summary>
    public static (string Text, int Changes) SwapWords(string text, double rate, Random random)
    {
        var (parts, changes) = (Spaces().Split(text), 0);
        // Words are at even places, what separates them at odd ones.
        for (int i = 0; i + 2 < parts.Length; i += 2)
        {
            if (parts[i].Length == 0 || parts[i + 2].Length == 0 || parts[i] == parts[i + 2] || random.NextDouble() >= rate) continue;
            (parts[i], parts[i + 2]) = (parts[i + 2], parts[i]);
            changes++;
            i += 2;
        }
        return (string.Concat(parts), changes);
    }

    /// <summary>Each word is left out with this probability, with the space after it; the last one left stays.</summary>
    public static (string Text, int Changes) DropWords(string text, double rate, Random random)
    {
        string[] parts = Spaces().Split(text);
        int left = Enumerable.Range(0, (parts.Length + 1) / 2).Count(i => parts[2 * i].Length > 0), changes = 0;
        for (int i = 0; i < parts.Length; i += 2)
        {
            if (parts[i].Length == 0 || random.NextDouble() >= rate || left == 1) continue;
            parts[i] = "";
            if (i + 1 < parts.Length) parts[i + 1] = "";
            else if (i > 0) parts[i - 1] = "";
            left--;
            changes++;
        }
        return (string.Concat(parts), changes);
    }

    /// <summary>Each word that has synonyms is replaced by one of them with this probability; a capital at its beginning stays.</summary>
    public static (string Text, int Changes) Replace(string text, IReadOnlyDictionary<string, IReadOnlyList<string>> synonyms, double rate, Random random)
    {
        int changes = 0;
        string result = Words().Replace(text, word =>
        {
            if (!synonyms.TryGetValue(word.Value.ToLowerInvariant(), out var others) || others.Count == 0 || random.NextDouble() >= rate) return word.Value;
            changes++;
            string other = others[random.Next(others.Count)];
            return char.IsUpper(word.Value[0]) ? char.ToUpperInvariant(other[0]) + other[1..] : other;
        });
        return (result, changes);
    }

    [GeneratedRegex(@"(\s+)")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"\p{L}+")]
    private static partial Regex Words();
}

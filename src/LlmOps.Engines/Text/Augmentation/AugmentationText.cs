using System.Globalization;

namespace LlmOps.Engines.Text.Augmentation;

/// <summary>Augmentations as people write them: <c>word-dropout 0.1</c>. Files of synonyms and templates.</summary>
public static class AugmentationText
{
    /// <summary>Names with their meaning, in the order of <see cref="TextChange"/>.</summary>
    public static IReadOnlyDictionary<string, TextChange> Names { get; } = new Dictionary<string, TextChange>
    {
        ["character-noise"] = TextChange.CharacterNoise, ["word-noise"] = TextChange.WordNoise, ["word-dropout"] = TextChange.WordDropout, ["synonyms"] = TextChange.Synonyms,
        ["paraphrase"] = TextChange.Paraphrase,
    };

    /// <summary>Reads a rule: its name, a space, its rate.</summary>
    /// <exception cref="ArgumentException">The name is unknown or the rate is no number above 0 and at most 1.</exception>
    public static AugmentationRule Parse(string text) => TryParse(text, out var rule) is { } problem ? throw new ArgumentException(problem) : rule!;

    /// <summary>Reads a rule, or says what is wrong with it; null is nothing.</summary>
    public static string? TryParse(string text, out AugmentationRule? rule)
    {
        ArgumentNullException.ThrowIfNull(text);
        rule = null;
        var parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length != 2 || !Names.TryGetValue(parts[0], out var change))
            return $"'{text}' is no augmentation. Write one of {string.Join(", ", Names.Keys)} and a rate, such as 'word-dropout 0.1'.";
        if (!double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out var rate) || !(rate > 0 && rate <= 1))
            return $"the rate of '{text}' must be above 0 and at most 1.";
        rule = new AugmentationRule(change, rate);
        return null;
    }

    /// <summary>The name of a change.</summary>
    public static string NameOf(TextChange change) => Names.First(n => n.Value == change).Key;

    /// <summary>Reads synonyms: on each line a word, a tab or colon, and what may stand for it, divided by commas. Lines that begin with # are remarks.</summary>
    /// <exception cref="ArgumentException">A line is malformed; the message names it.</exception>
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Synonyms(IEnumerable<string> lines)
    {
        ArgumentNullException.ThrowIfNull(lines);
        var synonyms = new Dictionary<string, IReadOnlyList<string>>();
        foreach (var (i, line) in lines.Index())
        {
            if (string.IsNullOrWhiteSpace(line) || line.StartsWith('#')) continue;
            int divides = line.IndexOfAny(['\t', ':']);
            string word = divides < 0 ? "" : line[..divides].Trim().ToLowerInvariant();
            string[] others = divides < 0 ? [] : line[(divides + 1)..].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            if (word.Length == 0 || others.Length == 0) throw new ArgumentException($"Line {i + 1} of the synonyms is '{line}'; a word, a colon and its synonyms divided by commas are expected.");
            synonyms[word] = [.. synonyms.GetValueOrDefault(word) ?? [], .. others];
        }
        return synonyms;
    }
}

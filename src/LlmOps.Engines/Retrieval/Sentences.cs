using System.Text.RegularExpressions;

namespace LlmOps.Engines.Retrieval;

/// <summary>Sentences of a Markdown passage as plain text: list items, table rows and lines of code stand alone.</summary>
internal static partial class Sentences
{
    public static IEnumerable<string> Of(string markdown)
    {
        var paragraph = new List<string>();
        var code = false;
        foreach (var raw in markdown.Split('\n').Append(""))
        {
            var line = raw.Trim();
            var fence = line.StartsWith("```", StringComparison.Ordinal) || line.StartsWith("~~~", StringComparison.Ordinal);
            var alone = code || fence || line.Length == 0 || line[0] == '|' || Marker().IsMatch(line);
            if (alone)
            {
                foreach (var sentence in Cut(paragraph))
                    yield return sentence;
                paragraph.Clear();
            }
            if (fence)
                code = !code;
            else if (code && line.Length > 0)
                yield return $"`{line}`";
            else if (line.StartsWith('|'))
            {
                var row = string.Join(" · ", line.Split('|', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Where(c => !Rule().IsMatch(c)));
                if (row.Length > 0)
                    yield return Plain(row);
            }
            else if (line.Length > 0)
                paragraph.Add(Marker().Replace(line, ""));
        }
    }

    private static IEnumerable<string> Cut(List<string> lines) =>
        Boundary().Split(Plain(string.Join(' ', lines))).Select(s => s.Trim()).Where(s => s.Length > 0);

    private static string Plain(string text) => Emphasis().Replace(Link().Replace(text, "$1"), "");

    [GeneratedRegex(@"^(?:[-*+]|\d+[.)]|>)\s+")]
    private static partial Regex Marker();

    [GeneratedRegex(@"^:?-+:?$")]
    private static partial Regex Rule();

    [GeneratedRegex(@"!?\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex Link();

    // Underscores stay: in technical text they belong to names far more often than to emphasis.
    [GeneratedRegex(@"\*\*")]
    private static partial Regex Emphasis();

    // A full stop inside a file name, a version or an abbreviation has no space and capital after it.
    [GeneratedRegex(@"(?<=[.!?])\s+(?=[\p{Lu}`""(\d])")]
    private static partial Regex Boundary();
}

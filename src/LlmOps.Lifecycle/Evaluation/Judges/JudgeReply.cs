using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>Reads what a judge replied. Whatever it thought aloud, the last JSON object with a verdict counts; a reply without one is no verdict, never a tie.</summary>
public static class JudgeReply
{
    /// <summary>What a local judge may write and nothing else.</summary>
    public static string Schema(JudgeDocument judge) => judge.Mode == JudgeDocument.Pairwise
        ? """{"type":"object","properties":{"verdict":{"enum":["A","B","tie"]}},"required":["verdict"],"additionalProperties":false}"""
        : "{\"type\":\"object\",\"properties\":{\"score\":{\"enum\":[" + string.Join(',', Enumerable.Range(1, judge.Scale)) + "]}},\"required\":[\"score\"],\"additionalProperties\":false}";

    /// <summary>1 for the answer that was shown first, 0 for the second, 0.5 for a tie.</summary>
    /// <exception cref="ArgumentException">There is no verdict in it.</exception>
    public static double Preference(string text) => (Last(text, "verdict") is { ValueKind: JsonValueKind.String } found ? found.GetString()!.Trim().ToUpperInvariant() : null) switch
    {
        "A" => 1,
        "B" => 0,
        "TIE" => 0.5,
        _ => throw new ArgumentException($"The judge gave no verdict. It replied: {Shown(text)}"),
    };

    /// <exception cref="ArgumentException">There is no score in it, or one outside the scale.</exception>
    public static double Score(string text, int scale)
    {
        var found = Last(text, "score");
        var score = found.ValueKind switch
        {
            JsonValueKind.Number => found.GetDouble(),
            JsonValueKind.String when double.TryParse(found.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
            _ => double.NaN,
        };
        return score >= 1 && score <= scale ? score : throw new ArgumentException($"The judge gave no score from 1 to {scale}. It replied: {Shown(text)}");
    }

    private static JsonElement Last(string text, string property)
    {
        JsonElement last = default;
        for (var i = text.IndexOf('{', StringComparison.Ordinal); i >= 0; i = i + 1 < text.Length ? text.IndexOf('{', i + 1) : -1)
            if (At(text, i) is { ValueKind: JsonValueKind.Object } found && found.TryGetProperty(property, out var value))
                last = value;
        return last;
    }

    private static JsonElement? At(string text, int start)
    {
        try
        {
            var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text[start..]), isFinalBlock: true, state: default);
            return JsonElement.TryParseValue(ref reader, out var element) ? element : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Shown(string text) => text.Trim() is { Length: > 0 } said ? said.Length > 200 ? said[..200] + "…" : said : "nothing";
}

using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Evaluation.Detectors;

/// <summary>A text in which what detectors found is hidden, so that it can be kept and shown.</summary>
public static class Redaction
{
    /// <summary>Each place becomes "[kind hidden, n characters]"; places that overlap become one, of the first one's kind.</summary>
    /// <param name="text">The text that the places are in.</param>
    /// <param name="found">Places, in any order.</param>
    /// <exception cref="ArgumentException">A place is not within the text.</exception>
    public static string Mask(string text, IEnumerable<DetectedSpan> found)
    {
        var masked = new StringBuilder(text.Length);
        var at = 0;
        foreach (var span in Joined(found))
        {
            if (span.Start < 0 || span.Length < 0 || span.End > text.Length)
                throw new ArgumentException($"A place of {span.Length} characters at {span.Start} is not within the text of {text.Length}.");
            masked.Append(text, at, span.Start - at).Append(CultureInfo.InvariantCulture, $"[{span.Kind} hidden, {span.Length} characters]");
            at = span.End;
        }
        return masked.Append(text, at, text.Length - at).ToString();
    }

    private static List<DetectedSpan> Joined(IEnumerable<DetectedSpan> found)
    {
        var joined = new List<DetectedSpan>();
        foreach (var span in found.OrderBy(s => s.Start).ThenByDescending(s => s.Length))
            if (joined.Count > 0 && span.Start < joined[^1].End)
                joined[^1] = joined[^1] with { Length = Math.Max(joined[^1].End, span.End) - joined[^1].Start };
            else
                joined.Add(span);
        return joined;
    }
}

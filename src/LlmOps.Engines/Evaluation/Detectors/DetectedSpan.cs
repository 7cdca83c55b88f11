namespace LlmOps.Engines.Evaluation.Detectors;

/// <summary>A part of a text that a detector reports. The text itself is not repeated, so that a report of a leak is no second leak.</summary>
/// <param name="Start">Index of its first character.</param>
/// <param name="Length">Characters.</param>
/// <param name="Kind">What it is, for example "github-token" or "iban".</param>
public readonly record struct DetectedSpan(int Start, int Length, string Kind)
{
    /// <summary>Index after its last character.</summary>
    public int End => Start + Length;

    /// <summary>In the order of the text and without overlaps: the first given of two that overlap stays.</summary>
    internal static IReadOnlyList<DetectedSpan> Apart(IEnumerable<DetectedSpan> found)
    {
        var kept = new List<DetectedSpan>();
        foreach (var span in found)
        {
            if (!kept.Exists(k => span.Start < k.End && k.Start < span.End))
                kept.Add(span);
        }
        kept.Sort((a, b) => a.Start.CompareTo(b.Start));
        return kept;
    }
}

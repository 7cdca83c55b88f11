using System.Globalization;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Tracing.Drift;

/// <summary>One trace of a side.</summary>
internal sealed record AskedTrace(string TraceId, string? Input, string? Output, bool Failed, double DurationMs, long? PromptTokens, long? CompletionTokens, RefusalSource? Refused)
{
    /// <summary>What a filter withheld is an answer too, though it has no text.</summary>
    public bool IsAnswer => !Failed && (!string.IsNullOrEmpty(Output) || Refused is not null);
}

/// <summary>In which traces a measure shows, so that a person can read them.</summary>
internal static class ShowDrift
{
    /// <summary>Of each measure.</summary>
    public const int Most = 5;

    public static IReadOnlyList<DriftRefusals> Refusals(IReadOnlyList<AskedTrace> baseline, IReadOnlyList<AskedTrace> window) =>
        [.. Enum.GetValues<RefusalSource>().Select(s => new DriftRefusals(s.ToString().ToLowerInvariant(), baseline.Count(a => a.Refused == s), window.Count(a => a.Refused == s))).Where(r => r.Baseline + r.Window > 0)];

    /// <param name="window">In the order of the sample.</param>
    /// <param name="past">Vectors of the baseline's questions.</param>
    /// <param name="present">Vectors of the window's, with their traces.</param>
    public static IReadOnlyList<DriftExamples> Examples(IReadOnlyList<DriftMeasure> measures, IReadOnlyList<AskedTrace> window, IReadOnlyList<float[]> past, IReadOnlyList<(string TraceId, float[] Vector)> present)
    {
        List<DriftExamples> found = [];
        foreach (var measure in measures.Where(m => m.Verdict == Verdict.Fail).DistinctBy(m => m.Name))
            if (Of(measure, measures, window, past, present) is { Traces.Count: > 0 } examples)
                found.Add(examples);
        return found;
    }

    private static DriftExamples? Of(DriftMeasure measure, IReadOnlyList<DriftMeasure> measures, IReadOnlyList<AskedTrace> window, IReadOnlyList<float[]> past, IReadOnlyList<(string TraceId, float[] Vector)> present)
    {
        switch (measure.Name)
        {
            case "refusals":
                return measure.Value < 0 ? null : new(measure.Name, "Answers that refuse.", [.. window.Where(a => a.Refused is not null).Take(Most).Select(a => new DriftExample(a.TraceId, null))]);
            case "embeddings":
                var middle = Middle(past);
                return new(measure.Name, "Questions that are least like those before: the cosine to their middle is the smallest.",
                    [.. present.Select(q => new DriftExample(q.TraceId, Cosine(q.Vector, middle))).OrderBy(e => e.Value).ThenBy(e => e.TraceId, StringComparer.Ordinal).Take(Most)]);
            default:
                return measures.FirstOrDefault(m => m.Name == measure.Name && m.Bins.Count > 0) is { } binned ? Grown(binned, window) : null;
        }
    }

    /// <summary>Those of the bin whose share has grown most.</summary>
    private static DriftExamples Grown(DriftMeasure measure, IReadOnlyList<AskedTrace> window)
    {
        var grown = Enumerable.Range(0, measure.Bins.Count).MaxBy(i => measure.Bins[i].Window - measure.Bins[i].Baseline);
        double low = grown == 0 ? double.NegativeInfinity : measure.Bins[grown - 1].UpTo!.Value, high = measure.Bins[grown].UpTo ?? double.PositiveInfinity;
        var (bin, unit) = (measure.Bins[grown], measure.Name == "latency-ms" ? "ms" : "tokens");
        var range = double.IsInfinity(low) ? Invariant($"at most {high:0.#}") : double.IsInfinity(high) ? Invariant($"more than {low:0.#}") : Invariant($"more than {low:0.#} and at most {high:0.#}");
        return new(measure.Name, Invariant($"The part that grew most, {range} {unit}: {bin.Window:0.# %} of the window, {bin.Baseline:0.# %} before."),
            [.. window.Select(a => new DriftExample(a.TraceId, Value(measure.Name, a))).Where(e => e.Value > low && e.Value <= high).Take(Most)]);
    }

    private static double? Value(string name, AskedTrace asked) => name switch
    {
        "prompt-tokens" => asked.PromptTokens,
        _ when asked.Failed => null,
        "completion-tokens" => asked.CompletionTokens,
        _ => asked.DurationMs,
    };

    private static float[] Middle(IReadOnlyList<float[]> vectors)
    {
        var middle = new float[vectors[0].Length];
        foreach (var vector in vectors)
            for (var i = 0; i < middle.Length; i++)
                middle[i] += vector[i] / vectors.Count;
        return middle;
    }

    private static double Cosine(float[] a, float[] b)
    {
        double dot = 0, first = 0, second = 0;
        for (var i = 0; i < a.Length; i++)
            (dot, first, second) = (dot + (double)a[i] * b[i], first + (double)a[i] * a[i], second + (double)b[i] * b[i]);
        return first == 0 || second == 0 ? 0 : dot / Math.Sqrt(first * second);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

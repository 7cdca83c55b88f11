using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Quantization;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>What a quantization cost: in words, as measures with intervals and n, and layer by layer where it chose.</summary>
public sealed partial class QuantizationReportView
{
    private sealed record Measure(string Name, string Value, string? Unit, string? Interval, string N);

    [Parameter, EditorRequired] public QuantizationReport? Report { get; set; }
    [Parameter] public ComparisonReport? Comparison { get; set; }
    [Parameter] public ProbeReport? Speed { get; set; }
    [Parameter] public string Source { get; set; } = "";

    private (long Before, long After) Size => Report is { } r ? (r.SourceBytes, r.TargetBytes) : (Comparison!.BaseBytes, Comparison.VariantBytes);

    private string Verdict
    {
        get
        {
            var (before, after) = Size;
            var size = before > 0 ? $"{Display.Percent((double)after / before, 1)} of the bytes of {Source} ({Display.Bytes(after)} of {Display.Bytes(before)})." : "";
            if (Comparison is not { } c)
                return $"{size} Not compared with {Source} on text: give the stage a calibration dataset, or look at the evaluation.";
            var delta = c.DeltaBitsPerByte;
            var judged = delta.Low > 0 ? "worse, and the interval excludes zero" : delta.High < 0 ? "better, and the interval excludes zero" : "no difference shown, the interval includes zero";
            return $"{size} On {Display.Count(c.Rows)} held-out texts ({Display.Count(c.Positions)} tokens) the most likely token is the same at {Display.Percent(c.SameTop.Value, 1)} of positions; bits per byte change by {Display.Signed(delta.Value)} ({Display.Signed(100 * c.RelativeIncrease)} %): {judged}.";
        }
    }

    private IEnumerable<Measure> Rows
    {
        get
        {
            if (Comparison is { } c)
            {
                var positions = $"{Display.Count(c.Positions)} tokens";
                yield return new("Mean KLD", Display.Short(c.MeanKld.Value, 3), "nats", Interval(c.MeanKld), Texts(c.MeanKld));
                yield return new("Median KLD", Display.Short(c.MedianKld, 3), "nats", null, positions);
                yield return new("99 % KLD", Display.Short(c.Kld99, 3), "nats", null, positions);
                yield return new("Same most likely token", Display.Number(100 * c.SameTop.Value, 4), "%", $"{Display.Number(100 * c.SameTop.Low, 4)} – {Display.Number(100 * c.SameTop.High, 4)}", Texts(c.SameTop));
                yield return new("Δ bits per byte", Display.Signed(c.DeltaBitsPerByte.Value), null, $"{Display.Signed(c.DeltaBitsPerByte.Low)} … {Display.Signed(c.DeltaBitsPerByte.High)}", Texts(c.DeltaBitsPerByte));
                yield return new($"Bits per byte of {Source}", Display.Number(c.BaseBitsPerByte.Value), null, Interval(c.BaseBitsPerByte), Texts(c.BaseBitsPerByte));
                yield return new("Bits per byte of the variant", Display.Number(c.VariantBitsPerByte.Value), null, Interval(c.VariantBitsPerByte), Texts(c.VariantBitsPerByte));
            }
            var (before, after) = Size;
            yield return new("Size", Display.Bytes(after), before > 0 ? $"{Display.Percent((double)after / before, 1)} of {Display.Bytes(before)}" : null, null, "–");
            if (Report is { } r)
            {
                yield return new("Logits, relative L2, random tokens", Display.Percent(r.RelativeL2, 2), null, null, "–");
                yield return new("Same most likely token, random tokens", Display.Percent(r.ArgmaxAgreement, 1), null, null, "–");
                yield return new("Products quantized", Display.Count(r.Quantized), $"{Display.Count(r.Skipped)} left in floating point", null, "–");
                if (r.Seconds > 0)
                    yield return new("Time to make", Display.Duration(1000 * r.Seconds), null, null, "–");
                yield return new("Loads in a fresh process", r.FreshProcess ? "yes" : "not tried", null, null, "–");
            }
            if (Speed is { } s)
                foreach (var (name, unit, values) in new[] { ("Decoding speed", "tokens/s", s.DecodeTokensPerSecond), ("Prefill speed", "tokens/s", s.PrefillTokensPerSecond), ("Time to load", "ms", s.LoadMs), ("Peak memory", "MiB", s.PeakMemoryBytes?.Select(b => b / (1 << 20)).ToArray()) })
                    if (values is { Length: > 0 })
                        yield return new(name, Display.Number(SearchReportView.Median(values), 3), unit, values.Length > 1 ? $"range {Display.Number(values.Min(), 3)} – {Display.Number(values.Max(), 3)}" : null, $"median of {values.Length} processes");
        }
    }

    private static string Interval(Estimate e) => $"{Display.Short(e.Low, 3)} – {Display.Short(e.High, 3)}";

    private static string Texts(Estimate e) => $"{Display.Count(e.N)} texts";

    private static string Chosen(IReadOnlyList<LayerChoice> layers) => string.Join(", ", layers.GroupBy(l => (l.Method, l.Bits)).OrderByDescending(g => g.Count()).Select(g => $"{g.Key.Method} at {g.Key.Bits} bits: {g.Count()}"));

    private static string Error(LayerChoice layer, string method) => layer.HeldOutErrors?.TryGetValue(method, out var error) == true ? Display.Percent(error, 2) : "–";
}

using System.Diagnostics;
using System.Globalization;
using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Quantization.Search;

/// <summary>One <see cref="VariantSearch"/>.</summary>
internal sealed class SearchRun(VariantSearch search, string sourceFolder, string workFolder, IReadOnlyList<TokenRow> rows, IProgress<double>? progress, CancellationToken ct)
{
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly List<CandidateReport> tried = [];
    private CandidateReport? best;
    private int made, withoutGain;

    public SearchReport Report()
    {
        using var source = new RememberedLogits(OnnxCausalModel.Load(sourceFolder));
        var cache = new CandidateCache(search, sourceFolder, workFolder, rows, source, ct);
        var waiting = Ordered();
        var first = cache.Source() with { PredictedBytes = OnnxModel.SizeBytes(sourceFolder) };
        tried.Add(first);
        var total = waiting.Count;
        string? stopped = null;
        while (waiting.Count > 0 && stopped is null)
        {
            stopped = Limit() ?? Hopeless(waiting);
            if (stopped is not null)
                break;
            ct.ThrowIfCancellationRequested();
            var (pass, bytes) = waiting[0];
            waiting.RemoveAt(0);
            var report = cache.Get(CandidateName.Of(pass), pass, bytes);
            made += report.Reused ? 0 : 1;
            Note(report);
            tried.Add(report);
            progress?.Report((total - waiting.Count) / (double)total);
        }
        stopped ??= $"All {total} candidates were tried.";
        if (best is null)
            stopped += " None meets the goal.";
        var left = waiting.Select(w => new CandidateReport(CandidateName.Of(w.Pass), w.Pass, null, w.Bytes, null, false, false, "not tried: the search had ended"));
        return new(search.Goal.ToString(), best?.Name, stopped, [.. Fronted(tried), .. left], clock.Elapsed.TotalSeconds);
    }

    // By predicted size, the smallest first, which decode fastest too; for closeness the largest first. Among equals the cheapest to make: if plain rounding will do, calibration need not run.
    private List<(QuantizationPass Pass, long Bytes)> Ordered()
    {
        using var model = OnnxModel.Load(sourceFolder);
        var space = search.Space ?? VariantSearch.DefaultSpace(search.Calibration is not null);
        if (space.Count == 0)
            throw new ArgumentException("The space is empty: there is nothing to try.");
        var sizes = new SizePrediction(model);
        var predicted = space.Select(pass => (Pass: search.Calibration is { } tokens ? pass.WithCalibration(sourceFolder, tokens) : pass, Bytes: sizes.Of(pass)));
        return [.. search.Goal.Objective switch
        {
            SearchObjective.Closest => predicted.OrderByDescending(p => p.Bytes).ThenBy(p => Cost(p.Pass)),
            // Prefill is bound by arithmetic, not by bytes: products of 8-bit integers win.
            SearchObjective.FastestPrefill => predicted.OrderBy(p => p.Pass is DynamicInt8 or StaticQdq ? 0 : 1).ThenBy(p => p.Bytes).ThenBy(p => Cost(p.Pass)),
            _ => predicted.OrderBy(p => p.Bytes).ThenBy(p => Cost(p.Pass)),
        }];
    }

    private static int Cost(QuantizationPass pass) => pass is CalibratedBlockwise ? 1 : 0;

    private string? Limit() =>
        made >= search.MaxCandidates ? $"The limit of {search.MaxCandidates} candidates is reached."
        : clock.Elapsed >= search.MaxTime ? $"The time limit of {search.MaxTime} is reached."
        : null;

    private string? Hopeless(List<(QuantizationPass Pass, long Bytes)> waiting)
    {
        if (search.Goal.Objective == SearchObjective.Smallest)
            return best is not null && waiting.All(w => w.Bytes >= best.PredictedBytes)
                ? $"{best.Name} meets the goal, and no candidate left is smaller." : null;
        return best is not null && withoutGain >= search.Patience
            ? $"{best.Name} meets the goal, and {withoutGain} further candidates were not clearly better." : null;
    }

    private void Note(CandidateReport report)
    {
        if (report.Verdict != GoalVerdict.Met)
        {
            withoutGain += best is null ? 0 : 1;
            return;
        }
        if (best is null || Objective(report).IsClearlyBelow(Objective(best)))
            (best, withoutGain) = (report, 0);
        else
            withoutGain++;
    }

    private Measure Objective(CandidateReport report) => search.Goal.Objective switch
    {
        SearchObjective.Smallest => Measure.Exact(report.Comparison!.VariantBytes),
        SearchObjective.Closest => Measure.Less(report.Comparison!.MeanKld),
        SearchObjective.FastestDecode => Measure.More(Rate(report.Speed!.DecodeTokensPerSecond)),
        _ => Measure.More(Rate(report.Speed!.PrefillTokensPerSecond)),
    };

    // So few fresh processes give no interval worth the name by resampling: their range is honest.
    private static Estimate Rate(double[] taken) => new(taken.Order().ElementAt(taken.Length / 2), taken.Min(), taken.Max(), taken.Length);

    private IEnumerable<CandidateReport> Fronted(List<CandidateReport> reports)
    {
        var measured = reports.Where(r => r.Comparison is not null).ToList();
        var front = ParetoFront.Of([.. measured.Select(Measures)]);
        var on = measured.Where((_, i) => front[i]).ToHashSet<CandidateReport>(ReferenceEqualityComparer.Instance);
        return reports.Select(r => r with { OnFront = on.Contains(r) });
    }

    private Measure[] Measures(CandidateReport report)
    {
        Measure[] always = [Measure.Less(report.Comparison!.MeanKld), Measure.Exact(report.Comparison.VariantBytes)];
        return search.Speed is null ? always : [.. always, Measure.More(Rate(report.Speed!.DecodeTokensPerSecond)), Measure.More(Rate(report.Speed.PrefillTokensPerSecond))];
    }
}

/// <summary>Names such as <c>4-bit block 32, head 8, refit</c>.</summary>
internal static class CandidateName
{
    public static string Of(QuantizationPass pass) => pass switch
    {
        BlockwiseRtn rtn => Rounding(rtn),
        CalibratedBlockwise calibrated => $"{(calibrated.Awq ? calibrated.Gptq ? "AWQ/GPTQ" : "AWQ" : "GPTQ")} {Rounding(calibrated.Rounding)}",
        DynamicInt8 int8 => $"dynamic int8{(int8.PerChannel ? "" : " per tensor")}{(int8.ReduceRange == true ? ", 7-bit range" : "")}{(int8.Smoothing > 0 ? string.Create(CultureInfo.InvariantCulture, $", smoothed {int8.Smoothing}") : "")}",
        StaticQdq qdq => $"static int8, {qdq.Method}{(qdq.Smooth is { } alpha ? string.Create(CultureInfo.InvariantCulture, $", smoothed {alpha}") : "")}",
        HalfPrecision half => half.BFloat16 ? "bfloat16" : "float16",
        _ => pass.ToString(),
    };

    private static string Rounding(BlockwiseRtn rtn) =>
        $"{rtn.Bits}-bit block {rtn.BlockSize}, head {(rtn.HeadBits == 0 ? "float" : rtn.HeadBits)}{(rtn.Symmetric ? ", symmetric" : "")}{(rtn.MixedLayers ? ", mixed layers" : "")}" +
        $"{(rtn.Overrides is { Count: > 0 } o ? $", {o.Count} overrides" : "")}{(rtn.Search == ScaleSearch.MinMax ? "" : $", {rtn.Search.ToString().ToLowerInvariant()}")}";
}

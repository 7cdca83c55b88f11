using System.Text.Json.Serialization;
using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Quantization.Search;

/// <summary>
/// Tries quantization passes until a goal cannot be reached any better. Candidates are ordered by what their options predict, cheap methods before
/// dear ones; every result is kept under a hash of source, options and rows, so that a repeated or wider search measures only what is new.
/// </summary>
public sealed record VariantSearch
{
    /// <summary>What to try; null takes <see cref="DefaultSpace"/>.</summary>
    public IReadOnlyList<QuantizationPass>? Space { get; init; }

    /// <summary>Tokens for the passes that calibrate; given to each of them.</summary>
    [JsonIgnore]
    public CalibrationTokens? Calibration { get; init; }

    /// <summary>What to look for.</summary>
    public SearchGoal Goal { get; init; } = new();

    /// <summary>Most candidates to make and measure; those found from an earlier search do not count.</summary>
    public int MaxCandidates { get; init; } = 20;

    /// <summary>No candidate is begun after this time.</summary>
    public TimeSpan MaxTime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>For the objectives that no size predicts (speed, closeness): candidates without a clear improvement after which the search gives up.</summary>
    public int Patience { get; init; } = 3;

    /// <summary>How to measure speed and memory; null leaves them out. The folder is filled in.</summary>
    public ProbeRequest? Speed { get; init; }

    /// <summary>How to compare.</summary>
    public VariantComparison Comparison { get; init; } = new();

    /// <summary>The usual candidates: dynamic int8, weights at 8, 4 and 2 bits in blocks of 32, 64 and 128, mixed layers; those that need calibration when it is at hand.</summary>
    public static IReadOnlyList<QuantizationPass> DefaultSpace(bool calibrated)
    {
        List<QuantizationPass> space = [new DynamicInt8(), new BlockwiseRtn(Bits: 8), new BlockwiseRtn(Bits: 8, BlockSize: 128)];
        foreach (var block in new[] { 32, 64, 128 })
        {
            BlockwiseRtn[] roundings = [new(4, block) { Search = ScaleSearch.Refit }, new(4, block, HeadBits: 4) { Search = ScaleSearch.Refit }, new(4, block) { Search = ScaleSearch.Refit, MixedLayers = true }];
            space.AddRange(roundings);
            if (calibrated)
                space.AddRange(roundings.Select(r => new CalibratedBlockwise { Rounding = r }));
        }
        if (calibrated)
            space.AddRange([new DynamicInt8 { Smoothing = 0.5 }, new CalibratedBlockwise { Rounding = new(2, 32) { Search = ScaleSearch.Refit, MixedLayers = true } }]);
        return space;
    }

    /// <summary>Makes, measures and compares candidates.</summary>
    /// <param name="sourceFolder">A decoder in floating point.</param>
    /// <param name="workFolder">Holds one folder for each candidate; what an earlier search left there is used again.</param>
    /// <param name="rows">Held-out texts, none of them used for calibration.</param>
    /// <param name="progress">Share of the candidates done, 0 to 1.</param>
    /// <param name="ct">Stops between two steps; finished candidates stay for the next search.</param>
    /// <exception cref="ArgumentException">An option or a row is out of range, or the goal needs a measure that is not taken.</exception>
    /// <exception cref="InvalidModelException">The source does not open as a decoder.</exception>
    public SearchReport Run(string sourceFolder, string workFolder, IReadOnlyList<TokenRow> rows, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        Goal.Ensure(Speed is not null);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxCandidates, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Patience, 1);
        return new SearchRun(this, sourceFolder, workFolder, rows, progress, ct).Report();
    }
}

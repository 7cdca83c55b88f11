namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// How rotary frequencies are stretched beyond the length of pretraining: <c>rope_scaling</c> of <c>config.json</c>. Settings that a type does not use stay at their
/// defaults. See <see cref="RotaryTable"/> for the formulas.
/// </summary>
public sealed record RopeScaling
{
    /// <summary>linear, llama3, yarn or longrope.</summary>
    public required string Type { get; init; }
    /// <summary>How many times longer the context becomes.</summary>
    public double Factor { get; init; } = 1;
    /// <summary>llama3: wavelengths longer than original / this are stretched fully.</summary>
    public double LowFreqFactor { get; init; } = 1;
    /// <summary>llama3: wavelengths shorter than original / this stay as they are.</summary>
    public double HighFreqFactor { get; init; } = 4;
    /// <summary>Context of pretraining; 0 means that the file does not say.</summary>
    public int OriginalContext { get; init; }
    /// <summary>yarn: rotations over the original context above which a dimension stays as it is.</summary>
    public double BetaFast { get; init; } = 32;
    /// <summary>yarn: rotations below which a dimension is stretched fully.</summary>
    public double BetaSlow { get; init; } = 1;
    /// <summary>yarn and longrope: cosines and sines are multiplied by this; null means the type's own formula.</summary>
    public double? AttentionFactor { get; init; }
    /// <summary>longrope: divisors of the frequencies up to the original context, one for each pair.</summary>
    public IReadOnlyList<double> ShortFactor { get; init; } = [];
    /// <summary>longrope: divisors of the frequencies above the original context, one for each pair.</summary>
    public IReadOnlyList<double> LongFactor { get; init; } = [];

    /// <summary>The types that are computed here.</summary>
    public static IReadOnlyList<string> Supported { get; } = ["linear", "llama3", "yarn", "longrope"];
}

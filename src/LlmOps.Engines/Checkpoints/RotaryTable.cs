namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// Rotary frequencies of one kind of layer, and the factor on cosines and sines: pair i of a head turns by position · <see cref="Frequencies"/>[i]
/// (Su et al. 2021; the stretched forms as in Hugging Face's rope utilities).
/// </summary>
public sealed record RotaryTable
{
    private RotaryTable()
    {
    }

    /// <summary>One angle per position and pair, up to <see cref="SwitchAt"/> tokens.</summary>
    public required double[] Frequencies { get; init; }

    /// <summary>Frequencies for sequences longer than <see cref="SwitchAt"/>; null when all lengths are alike.</summary>
    public double[]? LongFrequencies { get; private init; }

    /// <summary>longrope: longest sequence, in tokens, that uses <see cref="Frequencies"/>.</summary>
    public int SwitchAt { get; private init; } = int.MaxValue;

    /// <summary>Cosines and sines are multiplied by this.</summary>
    public double Scale { get; private init; } = 1;

    /// <summary>The table of a layer.</summary>
    /// <param name="config">The model.</param>
    /// <param name="sliding">Whether the layer's attention is a sliding window: Gemma 3 turns those with a base of their own and never stretches them.</param>
    public static RotaryTable Of(ModelConfig config, bool sliding)
    {
        var width = config.RotaryDim;
        var local = sliding && config.RopeLocalTheta is not null;
        var theta = local ? config.RopeLocalTheta!.Value : config.RopeTheta;
        var plain = Enumerable.Range(0, width / 2).Select(i => Math.Pow(theta, -2.0 * i / width)).ToArray();
        var s = config.RopeScaling;
        if (s is null || local)
            return new() { Frequencies = plain };
        return s.Type switch
        {
            "linear" => new() { Frequencies = [.. plain.Select(f => f / s.Factor)] },
            "llama3" => new() { Frequencies = [.. plain.Select(f => Llama3(f, s))] },
            "yarn" => new() { Frequencies = Yarn(plain, theta, width, s, config), Scale = s.AttentionFactor ?? (s.Factor <= 1 ? 1 : 0.1 * Math.Log(s.Factor) + 1) },
            "longrope" => LongRope(plain, s, config),
            _ => throw new UnsupportedModelException($"{ModelConfig.FileName}: rope_scaling of type {s.Type} is not supported; supported: default, {string.Join(", ", RopeScaling.Supported)}."),
        };
    }

    // Between the two wavelengths the stretch fades in (Llama 3.1).
    private static double Llama3(double frequency, RopeScaling s)
    {
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength < s.OriginalContext / s.HighFreqFactor)
            return frequency;
        if (wavelength > s.OriginalContext / s.LowFreqFactor)
            return frequency / s.Factor;
        var smooth = (s.OriginalContext / wavelength - s.LowFreqFactor) / (s.HighFreqFactor - s.LowFreqFactor);
        return (1 - smooth) * frequency / s.Factor + smooth * frequency;
    }

    // Peng et al. 2023: a ramp over the dimensions between those that turn often and those that turn rarely within the original context.
    private static double[] Yarn(double[] plain, double theta, int width, RopeScaling s, ModelConfig config)
    {
        double original = s.OriginalContext > 0 ? s.OriginalContext : config.MaxPositionEmbeddings;
        double Dimension(double rotations) => width * Math.Log(original / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
        double low = Math.Max(0, Math.Floor(Dimension(s.BetaFast))), high = Math.Min(width - 1, Math.Ceiling(Dimension(s.BetaSlow)));
        if (low == high)
            high += 0.001; // as published: no division by zero
        return [.. plain.Select((f, i) =>
        {
            var stretched = Math.Clamp((i - low) / (high - low), 0, 1);
            return f / s.Factor * stretched + f * (1 - stretched);
        })];
    }

    private static RotaryTable LongRope(double[] plain, RopeScaling s, ModelConfig config)
    {
        var original = s.OriginalContext > 0 ? s.OriginalContext : config.MaxPositionEmbeddings;
        var longer = (double)config.MaxPositionEmbeddings / original;
        return new()
        {
            Frequencies = [.. plain.Select((f, i) => f / s.ShortFactor[i])],
            LongFrequencies = config.MaxPositionEmbeddings > original ? [.. plain.Select((f, i) => f / s.LongFactor[i])] : null,
            SwitchAt = config.MaxPositionEmbeddings > original ? original : int.MaxValue,
            Scale = s.AttentionFactor ?? (longer <= 1 ? 1 : Math.Sqrt(1 + Math.Log(longer) / Math.Log(original))),
        };
    }
}

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// Random numbers as a pure function of three counters, usually seed, step and index of the example: whoever starts in the middle of a run gets the numbers
/// that a run from the start would have got there, with nothing to store. SplitMix64 (Steele, Lea and Flood 2014) over the mixed counters.
/// </summary>
public struct CounterRandom
{
    private ulong state;

    /// <summary>The stream that belongs to these three numbers.</summary>
    public CounterRandom(long seed, long step, long example)
    {
        state = Mix((ulong)seed + 0x9E3779B97F4A7C15);
        state = Mix(state ^ ((ulong)step + 0xD1B54A32D192ED03));
        state = Mix(state ^ ((ulong)example + 0x8CB92BA72F3D8DD7));
    }

    /// <summary>Uniform in [0, 1), with 53 random bits.</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in 0 … <paramref name="below"/> − 1.</summary>
    public int Next(int below) => (int)((Next() >> 32) * (ulong)below >> 32);

    /// <summary>Normal with mean 0 and deviation 1 (Box and Muller 1958).</summary>
    public double NextGaussian() => Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());

    /// <summary>Fills with independent normal values.</summary>
    public void Gaussian(Span<float> target)
    {
        foreach (ref float value in target)
            value = (float)NextGaussian();
    }

    private ulong Next() => Mix(state += 0x9E3779B97F4A7C15);

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}

namespace LlmOps.Lifecycle.Sweeps.Search;

/// <summary>SplitMix64: the same numbers on every version of .NET, because a sweep that is looked at again must come to the same trials.</summary>
internal struct SearchRandom(int seed, int trial)
{
    // Neighbouring seeds and trials are far apart after one multiplication each.
    private ulong state = unchecked((ulong)seed * 0xD1342543DE82EF95 ^ ((ulong)trial + 1) * 0x9E6C63D0876A9A47);

    public ulong Next()
    {
        var z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>From 0 up to but without 1.</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1UL << 53));

    public int Below(int n) => (int)((Next() >> 32) * (ulong)n >> 32);
}

namespace LlmOps.Engines.Evaluation.Contamination;

/// <summary>64-bit hashes that are the same on every machine, which those of <see cref="string"/> are not.</summary>
internal static class WordHash
{
    /// <summary>Odd, so that multiplication loses nothing modulo 2⁶⁴.</summary>
    private const ulong Base = 0x9E3779B97F4A7C15;

    /// <summary>FNV-1a over the UTF-16 units, mixed at the end.</summary>
    public static ulong Of(ReadOnlySpan<char> word)
    {
        var hash = 0xCBF29CE484222325UL;
        foreach (var unit in word)
            hash = (hash ^ unit) * 0x100000001B3UL;
        return Mix(hash);
    }

    /// <summary>The finalizer of SplitMix64: a permutation of the 64-bit numbers in which each bit of the input moves every bit of the output.</summary>
    public static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    /// <summary>
    /// Hash of every n words in a row, in order: a polynomial of the word hashes, Σ hᵢ₊ⱼ · Bⁿ⁻¹⁻ʲ mod 2⁶⁴, taken from prefix sums, so a
    /// window costs the same however long it is.
    /// </summary>
    public static ulong[] Windows(ulong[] words, int n)
    {
        if (words.Length < n)
            return [];
        var power = 1UL;
        for (var i = 0; i < n; i++)
            power *= Base;
        var prefix = new ulong[words.Length + 1];
        for (var i = 0; i < words.Length; i++)
            prefix[i + 1] = prefix[i] * Base + words[i];
        var windows = new ulong[words.Length - n + 1];
        for (var i = 0; i < windows.Length; i++)
            windows[i] = Mix(prefix[i + n] - prefix[i] * power);
        return windows;
    }

    /// <summary>The different ones, in ascending order.</summary>
    public static ulong[] Distinct(ulong[] hashes)
    {
        var sorted = hashes.AsSpan().ToArray();
        Array.Sort(sorted);
        var kept = 0;
        for (var i = 0; i < sorted.Length; i++)
            if (i == 0 || sorted[i] != sorted[i - 1])
                sorted[kept++] = sorted[i];
        return sorted[..kept];
    }
}

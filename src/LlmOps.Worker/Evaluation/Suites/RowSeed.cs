using System.Globalization;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>Where the random numbers of a row begin: the same in every run of the same repeat, so that two models draw alike, and another in each repeat and sample.</summary>
public static class RowSeed
{
    /// <summary>More repeats than a run may have, so that no sample of one repeat draws like a sample of another.</summary>
    private const int Apart = 1000;

    public static int Of(string key, int repeat, int sample = 0) =>
        (int)((uint.Parse(key.AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & 0x3fffffff) + (uint)repeat) + Apart * sample;
}

using System.Runtime.InteropServices;
using LlmOps.Engines.SmallModels;

namespace LlmOps.Training.SmallModels;

/// <summary>Samples as the numbers that a run's key is made of.</summary>
internal static class SampleDigest
{
    /// <summary>Size, values and target, bit by bit.</summary>
    public static int[] Of(Sample sample) => [sample.Width, sample.Height, .. MemoryMarshal.Cast<float, int>(sample.Values), .. sample.Target.Select(c => (int)c)];
}

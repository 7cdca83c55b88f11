namespace LlmOps.Training.Batching;

/// <summary>
/// NEFTune (Jain et al. 2023): noise on the token embeddings while training, uniform in ±alpha / √(L · d) with L tokens in the example and d values per token.
/// A function of seed, step and the example's place in the step, so that a resumed run draws the same and the cut into parts changes nothing.
/// </summary>
internal static class EmbeddingNoise
{
    /// <summary>Noise for a batch of rows [rows · length · hidden]; zero where there is padding.</summary>
    /// <param name="rows">Lengths of the examples of each row, one after the other, with each one's place in the step.</param>
    /// <param name="length">Tokens per row.</param>
    /// <param name="hidden">Values per token, d.</param>
    /// <param name="alpha">Strength; the paper uses 5 to 15.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="step">Step, from 0.</param>
    public static float[] Of(IReadOnlyList<IReadOnlyList<(int Length, int Place)>> rows, int length, int hidden, double alpha, int seed, int step)
    {
        var noise = new float[(long)rows.Count * length * hidden];
        for (int r = 0; r < rows.Count; r++)
        {
            int start = r * length;
            foreach (var (tokens, place) in rows[r])
            {
                var random = new Random(unchecked(LengthBuckets.HashCodeOf(seed, step) * 31 + place * 104_729));
                double size = alpha / Math.Sqrt((double)tokens * hidden);
                foreach (ref float value in noise.AsSpan(start * hidden, tokens * hidden)) value = (float)(size * (2 * random.NextDouble() - 1));
                start += tokens;
            }
        }
        return noise;
    }
}

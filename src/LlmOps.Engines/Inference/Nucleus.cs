using System.Numerics.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>Draws a token from weights, after top-p and min-p. Keeps its arrays from token to token.</summary>
internal sealed class Nucleus(int vocabulary)
{
    // Weights lie in (0, 1]; the upper 15 bits of a positive float are its exponent and 6 bits of its fraction, so weights of one bucket differ by less than 1/64.
    private const int BucketShift = 17, Buckets = (0x3F800000 >> BucketShift) + 1, Block = 1024;
    private readonly double[] sums = new double[Buckets];
    private readonly List<int> kept = [];

    /// <summary>One weight per token; the largest is 1.</summary>
    public float[] Weights { get; } = new float[vocabulary];

    /// <summary>From the k largest, best first: the list is short and already sorted.</summary>
    public int Draw(ReadOnlySpan<int> tokens, ReadOnlySpan<float> scores, float best, SamplingOptions options, Random random)
    {
        Span<double> weights = tokens.Length <= 256 ? stackalloc double[tokens.Length] : new double[tokens.Length];
        double total = 0, sum = 0;
        for (var i = 0; i < tokens.Length; i++)
            total += weights[i] = Math.Exp((scores[tokens[i]] - best) / (double)options.Temperature);
        var count = 0;
        while (count < tokens.Length && (count == 0 || (sum < options.TopP * total && weights[count] >= options.MinP)))
            sum += weights[count++];
        var point = random.NextDouble() * sum;
        for (var i = 0; i < count; i++)
            if ((point -= weights[i]) < 0)
                return tokens[i];
        return tokens[count - 1];
    }

    /// <summary>From all tokens, by <see cref="Weights"/>.</summary>
    public int Draw(SamplingOptions options, Random random)
    {
        if (options.TopP == 1 && options.MinP == 0)
            return DrawFromAll(random);
        kept.Clear();
        var (floor, ties) = options.TopP == 1 ? (options.MinP, vocabulary) : Edge(options.TopP);
        TopSelection.AtLeast(Weights, Math.Max(floor, options.MinP), kept);
        kept.RemoveAll(token => Weights[token] == floor && ties-- <= 0);
        double total = 0;
        foreach (var token in kept)
            total += Weights[token];
        var point = random.NextDouble() * total;
        foreach (var token in kept)
            if ((point -= Weights[token]) < 0)
                return token;
        return kept[^1];
    }

    // The smallest weight inside of the smallest set that reaches p, and how many tokens with just this weight are in it. Sums by bucket find
    // the bucket where the set ends, and only that one is sorted.
    private (float Floor, int Ties) Edge(float topP)
    {
        var total = 0.0;
        for (var start = 0; start < vocabulary; start += Block)
            total += TensorPrimitives.Sum<float>(Weights.AsSpan(start, Math.Min(Block, vocabulary - start)));
        // All tokens below this weight together stay under 1 − p, so none of them can be inside.
        TopSelection.AtLeast(Weights, (float)((1 - (double)topP) * total / vocabulary), kept);
        Array.Clear(sums);
        foreach (var token in kept)
            sums[Bucket(Weights[token])] += Weights[token];
        var wanted = topP * total;
        var (bucket, sum) = (Buckets - 1, 0.0);
        while (bucket > 0 && sum + sums[bucket] < wanted)
            sum += sums[bucket--];
        var edge = kept.Select(token => Weights[token]).Where(weight => Bucket(weight) == bucket).ToArray();
        kept.Clear();
        if (edge.Length == 0) // rounding alone kept the sum below p
            return (0, vocabulary);
        Array.Sort(edge);
        var at = edge.Length - 1;
        for (; at > 0 && sum + edge[at] < wanted; at--)
            sum += edge[at];
        return (edge[at], edge.Skip(at).Count(weight => weight == edge[at]));

        static int Bucket(float weight) => Math.Clamp(BitConverter.SingleToInt32Bits(weight) >> BucketShift, 0, Buckets - 1);
    }

    private int DrawFromAll(Random random)
    {
        Span<double> blocks = new double[(vocabulary + Block - 1) / Block];
        double total = 0;
        for (var b = 0; b < blocks.Length; b++)
            total += blocks[b] = TensorPrimitives.Sum<float>(Weights.AsSpan(b * Block, Math.Min(Block, vocabulary - b * Block)));
        var point = random.NextDouble() * total;
        var at = 0;
        while (at < blocks.Length - 1 && point >= blocks[at])
            point -= blocks[at++];
        var last = -1;
        for (var i = at * Block; i < Math.Min(vocabulary, (at + 1) * Block); i++)
        {
            if (Weights[i] == 0)
                continue;
            last = i;
            if ((point -= Weights[i]) < 0)
                return i;
        }
        return last >= 0 ? last : TensorPrimitives.IndexOfMax<float>(Weights);
    }
}

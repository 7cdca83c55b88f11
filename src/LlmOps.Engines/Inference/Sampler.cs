using System.Numerics.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>Chooses tokens: repetition penalty, temperature, top-k, top-p, draw; in this order, as Hugging Face's generate does.</summary>
/// <param name="options">How to choose.</param>
/// <param name="vocabulary">Tokens that have a text; a model may have more rows, added to round its matrices, which are never chosen.</param>
internal sealed class Sampler(SamplingOptions options, int vocabulary)
{
    private readonly Random random = options.Seed is { } seed ? new Random(seed) : new Random();
    private readonly float[] scores = new float[vocabulary];
    private readonly HashSet<int> seen = [];

    public void Remember(ReadOnlySpan<int> tokens)
    {
        foreach (var token in tokens)
            if (token < vocabulary)
                seen.Add(token);
    }

    /// <returns>The token and the natural logarithm of its probability under the unchanged logits.</returns>
    public (int Token, double LogProbability) Next(ReadOnlySpan<float> logits, ReadOnlySpan<int> forbidden)
    {
        logits[..vocabulary].CopyTo(scores);
        if (options.RepetitionPenalty != 1)
            foreach (var token in seen)
                scores[token] = scores[token] > 0 ? scores[token] / options.RepetitionPenalty : scores[token] * options.RepetitionPenalty;
        foreach (var token in forbidden)
            scores[token] = float.NegativeInfinity;
        var chosen = options.Temperature == 0 ? TensorPrimitives.IndexOfMax<float>(scores) : Draw();
        seen.Add(chosen);
        return (chosen, logits[chosen] - LogSumExp(logits));
    }

    private int Draw()
    {
        var max = TensorPrimitives.Max<float>(scores);
        var weights = new List<(int Token, double Weight)>(vocabulary);
        double total = 0;
        for (var i = 0; i < scores.Length; i++)
        {
            var weight = Math.Exp((scores[i] - max) / (double)options.Temperature);
            weights.Add((i, weight));
            total += weight;
        }
        if (options.TopK > 0 || options.TopP < 1)
            (weights, total) = Filter(weights, total);
        var point = random.NextDouble() * total;
        foreach (var (token, weight) in weights)
            if ((point -= weight) < 0)
                return token;
        return weights[^1].Token;
    }

    private (List<(int Token, double Weight)> Kept, double Total) Filter(List<(int Token, double Weight)> weights, double total)
    {
        if (options.TopK == 0)
        {
            // All tokens below this weight together stay under 1 - p, so none of them can be in the nucleus: sorting the rest is enough.
            var floor = (1 - options.TopP) * total / vocabulary;
            weights.RemoveAll(w => w.Weight < floor);
        }
        weights.Sort((a, b) => b.Weight != a.Weight ? b.Weight.CompareTo(a.Weight) : a.Token.CompareTo(b.Token));
        if (options.TopK > 0 && options.TopK < weights.Count)
        {
            weights.RemoveRange(options.TopK, weights.Count - options.TopK);
            total = weights.Sum(w => w.Weight); // top-p works on what top-k left
        }
        double sum = 0;
        var count = 0;
        while (count < weights.Count && (count == 0 || sum < options.TopP * total))
            sum += weights[count++].Weight;
        weights.RemoveRange(count, weights.Count - count);
        return (weights, sum);
    }

    private static double LogSumExp(ReadOnlySpan<float> logits)
    {
        var max = TensorPrimitives.Max(logits);
        double sum = 0;
        foreach (var logit in logits)
            sum += Math.Exp(logit - max);
        return max + Math.Log(sum);
    }
}

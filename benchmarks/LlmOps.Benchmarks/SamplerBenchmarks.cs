using BenchmarkDotNet.Attributes;
using LlmOps.Engines.Inference;

namespace LlmOps.Benchmarks;

/// <summary>Choosing one token from the logits of a vocabulary of 151,936, as Qwen's, with a peak like a trained model's.</summary>
[MemoryDiagnoser]
public class SamplerBenchmarks
{
    private const int Vocabulary = 151_936;
    private readonly float[] logits = new float[Vocabulary];
    private readonly Sampler greedy = new(new(), Vocabulary), all = new(new(Temperature: 1, Seed: 1), Vocabulary), topK = new(new(Temperature: 1, TopK: 50, Seed: 1), Vocabulary),
        topP = new(new(Temperature: 1, TopP: 0.95f, Seed: 1), Vocabulary), minP = new(new(Temperature: 1, Seed: 1) { MinP = 0.05f }, Vocabulary);

    [GlobalSetup]
    public void Fill()
    {
        var random = new Random(1);
        for (var i = 0; i < Vocabulary; i++)
            logits[i] = (float)(-4 * Math.Log(1 - random.NextDouble()) * (random.Next(200) == 0 ? 1 : 0.4));
    }

    [Benchmark]
    public int Greedy() => greedy.Next(logits, []).Token;

    [Benchmark]
    public int All() => all.Next(logits, []).Token;

    [Benchmark]
    public int TopK50() => topK.Next(logits, []).Token;

    [Benchmark]
    public int TopP95() => topP.Next(logits, []).Token;

    [Benchmark]
    public int MinP5() => minP.Next(logits, []).Token;

    /// <summary>Top-p as it was done before: a list of the whole vocabulary, sorted.</summary>
    [Benchmark(Baseline = true)]
    public int SortedListTopP95()
    {
        var max = logits.Max();
        var weights = new List<(int Token, double Weight)>(Vocabulary);
        double total = 0;
        for (var i = 0; i < Vocabulary; i++)
        {
            weights.Add((i, Math.Exp(logits[i] - max)));
            total += weights[i].Weight;
        }
        weights.RemoveAll(w => w.Weight < 0.05 * total / Vocabulary);
        weights.Sort((a, b) => b.Weight != a.Weight ? b.Weight.CompareTo(a.Weight) : a.Token.CompareTo(b.Token));
        double sum = 0;
        var count = 0;
        while (count < weights.Count && (count == 0 || sum < 0.95 * total))
            sum += weights[count++].Weight;
        var point = Random.Shared.NextDouble() * sum;
        foreach (var (token, weight) in weights)
            if ((point -= weight) < 0)
                return token;
        return weights[^1].Token;
    }
}

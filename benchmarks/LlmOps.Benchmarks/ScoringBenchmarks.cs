using BenchmarkDotNet.Attributes;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.SideBySide;

namespace LlmOps.Benchmarks;

/// <summary>
/// Log-likelihoods on a random Llama with 38 million weights (SmolLM2's width and vocabulary, 3 layers): whole texts, and questions with four answers of one
/// token. Tokens of all requests over the mean time is the speed.
/// </summary>
[MemoryDiagnoser]
public class ScoringBenchmarks
{
    private readonly string root = Directory.CreateTempSubdirectory("llmops-scoring-").FullName;
    private OnnxCausalModel? model;
    private ScoreRequest[] requests = [];

    [Params("texts", "choices")]
    public string Requests { get; set; } = "";

    [GlobalSetup]
    public void Prepare()
    {
        RandomLlama.Write(Path.Combine(root, "checkpoint"), RandomLlama.Config(layers: 3));
        new DecoderExport().Run(Path.Combine(root, "checkpoint"), Path.Combine(root, "onnx"));
        model = OnnxCausalModel.Load(Path.Combine(root, "onnx"));
        var random = new Random(1);
        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(model.VocabularySize))];
        requests = Requests == "texts"
            ? [.. Enumerable.Range(0, 24).Select(_ => new ScoreRequest(Tokens(random.Next(64, 192)), 1))]
            : [.. Enumerable.Range(0, 12).Select(_ => Tokens(random.Next(64, 192))).SelectMany(question => Tokens(4).Select(answer => new ScoreRequest([.. question, answer], question.Length)))];
        Console.WriteLine($"// {Requests}: {requests.Sum(r => r.Tokens.Length)} tokens");
    }

    [GlobalCleanup]
    public void Delete()
    {
        model?.Dispose();
        Directory.Delete(root, recursive: true);
    }

    /// <summary>What the scorer did before: all logits copied into arrays, one position after the other on one core, nothing shared between requests.</summary>
    [Benchmark(Baseline = true)]
    public double Before()
    {
        var order = requests.OrderByDescending(r => r.Tokens.Length).ToArray();
        var limit = (int)Math.Min(4096, (64L << 20) / model!.VocabularySize);
        var scratch = new float[model.VocabularySize];
        var total = 0.0;
        for (var next = 0; next < order.Length;)
        {
            var batch = order.Skip(next).Take(Math.Max(1, limit / order[next].Tokens.Length)).ToArray();
            var logits = model.Logits([.. batch.Select(r => r.Tokens)]);
            for (var b = 0; b < batch.Length; b++)
                for (var t = batch[b].ScoredFrom; t < batch[b].Tokens.Length; t++)
                {
                    var row = logits[b].AsSpan((t - 1) * model.VocabularySize, model.VocabularySize);
                    total += SequenceScorer.LogProbability(row, batch[b].Tokens[t], scratch);
                    total += System.Numerics.Tensors.TensorPrimitives.IndexOfMax<float>(row) == batch[b].Tokens[t] ? 1 : 0;
                }
            next += batch.Length;
        }
        return total;
    }

    [Benchmark]
    public double Now() => new SequenceScorer(model!).Score(requests).Sum(s => s.LogProbability);
}

using LlmOps.Engines.Text;
using LlmOps.Training;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;

namespace LlmOps.Benchmarks.Training;

/// <summary>Fine-tuning of all weights on texts of ragged lengths: batches in random order padded to their longest, batches by length, packed rows.</summary>
internal static class PackingSpeed
{
    private const int BatchSize = 32, Limit = 256;

    public static void Run(int rounds, int threads)
    {
        (Pretraining options, int vocabulary) = Peer.Sizes("quickstart");
        List<string> texts = Peer.Corpus();
        Tokenizer tokenizer = new BpeTrainer(vocabulary).Train(texts);
        TokenSequence[] examples = [.. Ragged(texts, tokenizer, 4096)];
        List<int> lengths = [.. examples.Select(e => e.Tokens.Length)];
        int[] sorted = [.. lengths.Order()];
        Console.WriteLine($"lengths: 10 % below {sorted[sorted.Length / 10]}, half below {sorted[sorted.Length / 2]}, 90 % below {sorted[sorted.Length * 9 / 10]}, longest {sorted[^1]}");
        TorchRuntime.Start(threads);
        Steps Side(string name, bool packs, bool inParts, List<int[]> batches)
        {
            var model = new CausalLanguageModel(options.Config(tokenizer), trainable: true);
            model.Initialize(1, 0.02);
            var step = new FineTuningStep(model, inParts ? MicroBatch.Tokens(model) : int.MaxValue) { Packs = packs, MaxLength = Limit };
            return new Steps(name, threads, model.Parameters, n => step.Accumulate(n, [.. batches[n % batches.Count].Select(i => examples[i])], default), 6, dispose: model.Dispose);
        }
        List<int[]> shuffled = LengthBuckets.Shuffled(examples.Length, BatchSize, 1, 0);
        Turns.Print(
            $"fine-tuning on ragged texts, {threads} threads, 6 steps of {BatchSize} a turn", "tokens/s without padding", rounds,
            Side("padded to the longest of the batch", false, false, shuffled),
            Side("batches of similar length", false, true, LengthBuckets.Epoch(lengths, BatchSize, 1, 0)),
            Side("packed", true, true, shuffled));
    }

    // Log-normal lengths with a median of 40 tokens, as collections of instructions have them, made of as many definitions as it takes.
    private static IEnumerable<TokenSequence> Ragged(List<string> texts, Tokenizer tokenizer, int count)
    {
        var random = new Random(1);
        for (int i = 0; i < count; i++)
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            int length = (int)Math.Clamp(40 * Math.Exp(0.8 * normal), 8, Limit);
            var tokens = new List<int>();
            while (tokens.Count < length) tokens.AddRange(PromptTemplate.Document(tokenizer, texts[random.Next(texts.Count)]));
            yield return new TokenSequence([.. tokens.Take(length)], 1);
        }
    }
}

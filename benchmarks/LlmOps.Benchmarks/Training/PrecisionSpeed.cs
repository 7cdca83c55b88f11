using LlmOps.Engines.Text;
using LlmOps.Training;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using TorchSharp;

namespace LlmOps.Benchmarks.Training;

/// <summary>Pretraining steps with matrix products in float32 and in bfloat16: same weights, same rows.</summary>
internal static class PrecisionSpeed
{
    public static void Run(string size, int rounds, int threads)
    {
        (Pretraining options, int vocabulary) = Peer.Sizes(size);
        List<string> texts = Peer.Corpus();
        Tokenizer tokenizer = new BpeTrainer(vocabulary).Train(texts);
        List<int[]>[][] steps = [.. options.Steps(Pretraining.Encode(texts, tokenizer))];
        int stepsPerTurn = size == "27m" ? 1 : 5;
        TorchRuntime.Start(threads);
        var losses = new Dictionary<Precision, double>();
        Steps Side(Precision precision)
        {
            var model = new CausalLanguageModel(options.Config(tokenizer), trainable: true) { Precision = precision };
            model.Initialize(1, options.InitializerRange);
            return new Steps(precision.ToString(), threads, model.Parameters, n =>
            {
                List<int[]>[] rows = steps[n % steps.Length];
                using var scope = torch.NewDisposeScope();
                TokenBatch batch = TokenBatch.OfPacked([.. rows], options.ContextLength, 0);
                torch.Tensor loss = -TokenLogProbabilities.Of(model, batch).mean();
                loss.backward();
                losses[precision] = loss.item<float>();
                return new Accumulated(losses[precision], batch.Tokens, new Dictionary<string, double>());
            }, stepsPerTurn, dispose: model.Dispose);
        }
        Turns.Print($"pretraining steps, {size}, {threads} threads, {stepsPerTurn} steps a turn", "tokens/s", rounds, Side(Precision.Float32), Side(Precision.BFloat16));
        Console.WriteLine($"\nloss of the last step: {string.Join(", ", losses.Select(l => $"{l.Key} {l.Value:0.0000}"))}");
    }
}

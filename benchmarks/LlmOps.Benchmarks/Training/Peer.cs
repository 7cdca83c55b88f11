using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Training;
using LlmOps.Training.Architectures;

namespace LlmOps.Benchmarks.Training;

/// <summary>Our pretraining beside a PyTorch eager loop: same starting weights, same rows in the same order, same learning rates, same number of threads.</summary>
internal static class Peer
{
    public static void Run(string size, int rounds, int threads, TrainingDevice device = TrainingDevice.Cpu, Precision precision = Precision.Float32)
    {
        int stepsPerTurn = device == TrainingDevice.Cuda ? 40 : size == "27m" ? 2 : 10, total = 1 + (rounds + 2) * stepsPerTurn;
        (Pretraining options, int vocabulary) = Sizes(size);
        options = options with { MaxSteps = total, Epochs = 100, Threads = threads, CheckpointEverySteps = int.MaxValue, Seed = 1, Device = device, Precision = precision };
        string folder = Directory.CreateTempSubdirectory("llmops-peer-").FullName;
        try
        {
            List<string> texts = Corpus();
            Tokenizer tokenizer = new BpeTrainer(vocabulary).Train(texts);
            double[] tokens = Write(options, texts, tokenizer, total, folder);
            Pretraining ours = options with { Threads = threads };
            var side = new TrainingSide("ours", stepsPerTurn, step => tokens[step], (progress, ct) => ours.Run(texts, [], tokenizer, Path.Combine(folder, "target"), Path.Combine(folder, "work"), progress, ct));
            var peer = new PythonPeer(folder, threads, stepsPerTurn, device == TrainingDevice.Cuda ? "cuda" : "cpu", precision.ToString());
            Turns.Print($"pretraining, {size}, {device}, {precision}, {threads} threads, {stepsPerTurn} steps a turn", "tokens/s", rounds, peer, side);
            Console.WriteLine("\n| loss of step | ours | peer |\n|---|---|---|");
            for (int i = 0; i < peer.Losses.Count; i++) Console.WriteLine($"| {1 + i * stepsPerTurn} | {side.Losses[i * stepsPerTurn]:0.0000} | {peer.Losses[i]:0.0000} |");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public static (Pretraining Options, int Vocabulary) Sizes(string size) => size switch
    {
        "quickstart" => (new Pretraining(), 3072),
        "27m" => (new Pretraining { HiddenSize = 512, Layers = 8, Heads = 8, KvHeads = 4, Intermediate = 1376 }, 8192),
        _ => throw new ArgumentException($"'{size}' is no size; use quickstart or 27m."),
    };

    public static List<string> Corpus() => [.. File.ReadLines("pipelines/quickstart/data/corpus.jsonl").Select(line => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!)];

    private static double[] Write(Pretraining options, List<string> texts, Tokenizer tokenizer, int total, string folder)
    {
        List<int[]>[][] steps = [.. options.Steps(Pretraining.Encode(texts, tokenizer))];
        TorchRuntime.Start(options.Threads);
        using (var model = new CausalLanguageModel(options.Config(tokenizer), trainable: false))
        {
            model.Initialize(options.Seed, options.InitializerRange);
            ModelFolder.Save(model, folder);
        }
        File.WriteAllLines(Path.Combine(folder, "steps.jsonl"), steps.Select(step => JsonSerializer.Serialize(step)));
        File.WriteAllText(Path.Combine(folder, "options.json"), JsonSerializer.Serialize(new
        {
            context_length = options.ContextLength, weight_decay = options.Optimizer.WeightDecay, beta1 = options.Optimizer.Beta1, beta2 = options.Optimizer.Beta2,
            max_gradient_norm = options.MaxGradientNorm, rates = Enumerable.Range(1, total).Select(step => options.LearningRate * options.Schedule.At((double)step / total)),
        }));
        return [.. steps.Select(step => (double)step.Sum(row => row.Sum(d => d.Length)))];
    }
}

using System.Diagnostics;
using LlmOps.Engines.Text;
using LlmOps.Training;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using LlmOps.Training.Optimizers;
using TorchSharp;

namespace LlmOps.Benchmarks.Training;

/// <summary>Where the time of a pretraining step goes: by the clock and by processor time, so that phases which leave a core idle stand out.</summary>
internal static class StepProfile
{
    private static readonly string[] Phases = ["clear gradients", "build batch", "forward", "backward", "gradient norm", "optimizer"];

    public static void Run(string size, int steps, int threads)
    {
        (Pretraining options, int vocabulary) = Peer.Sizes(size);
        List<string> texts = Peer.Corpus();
        Tokenizer tokenizer = new BpeTrainer(vocabulary).Train(texts);
        List<int[]>[][] batches = [.. options.Steps(Pretraining.Encode(texts, tokenizer))];
        var (clock, processor) = (new double[Phases.Length], new double[Phases.Length]);
        TrainingThread.Run(threads, () =>
        {
            using var model = new CausalLanguageModel(options.Config(tokenizer), trainable: true);
            model.Initialize(1, options.InitializerRange);
            Optimizer optimizer = Optimizer.Create(options.Optimizer, model.Parameters);
            for (int step = 0; step < steps + 3; step++)
            {
                // The first steps warm up.
                if (step == 3) (clock, processor) = (new double[Phases.Length], new double[Phases.Length]);
                Step(model, optimizer, options, batches[step % batches.Length], step, clock, processor);
            }
            return 0;
        });
        double all = clock.Sum();
        Console.WriteLine($"\n{size}, {threads} threads, {steps} steps, load after {Turns.Load()}\n\n| phase | ms a step | share | processor ms | cores busy |\n|---|---|---|---|---|");
        for (int i = 0; i < Phases.Length; i++)
            Console.WriteLine($"| {Phases[i]} | {1000 * clock[i] / steps:0.0} | {clock[i] / all:P0} | {1000 * processor[i] / steps:0.0} | {processor[i] / clock[i]:0.00} |");
        Console.WriteLine($"| all | {1000 * all / steps:0.0} | 100 % | {1000 * processor.Sum() / steps:0.0} | {processor.Sum() / all:0.00} |\n\nlargest resident set: {Process.GetCurrentProcess().PeakWorkingSet64 / 1e6:0} MB");
    }

    private static void Step(CausalLanguageModel model, Optimizer optimizer, Pretraining options, List<int[]>[] rows, int step, double[] clock, double[] processor)
    {
        var watch = new Stopwatch();
        TimeSpan before = default;
        void Begin() => (before, watch) = (Environment.CpuUsage.TotalTime, Stopwatch.StartNew());
        void End(int phase)
        {
            clock[phase] += watch.Elapsed.TotalSeconds;
            processor[phase] += (Environment.CpuUsage.TotalTime - before).TotalSeconds;
        }
        using var scope = torch.NewDisposeScope();
        Begin();
        model.Parameters.ClearGradients();
        End(0);
        Begin();
        TokenBatch batch = TokenBatch.OfPacked([.. rows], options.ContextLength, 0);
        End(1);
        Begin();
        torch.Tensor loss = -TokenLogProbabilities.Of(model, batch).sum() / batch.Labels.Length;
        End(2);
        Begin();
        loss.backward();
        End(3);
        Begin();
        double norm = model.Parameters.GradientNorm();
        End(4);
        Begin();
        optimizer.Step(step + 1, 1e-4, 1 / Math.Max(1, norm));
        End(5);
    }
}

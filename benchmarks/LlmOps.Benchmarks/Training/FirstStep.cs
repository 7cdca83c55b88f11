using System.Diagnostics;
using System.Globalization;
using LlmOps.Engines.Text;
using LlmOps.Training;

namespace LlmOps.Benchmarks.Training;

/// <summary>Seconds from the start of a process to the end of the first step of the quickstart's pretraining: corpus read, encoded and packed, libtorch loaded.</summary>
internal static class FirstStep
{
    public const string Child = "first-step";

    public static void Run(int rounds)
    {
        string folder = Directory.CreateTempSubdirectory("llmops-first-").FullName;
        try
        {
            new BpeTrainer(Peer.Sizes("quickstart").Vocabulary).Train(Peer.Corpus()).Save(folder);
            string load = Turns.Load();
            var seconds = new List<double>();
            string parts = "";
            for (int round = 0; round <= rounds; round++)
            {
                var clock = Stopwatch.StartNew();
                using Process child = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [TrainingBenchmarks.Command, Child, folder]) { RedirectStandardOutput = true })!;
                string line = child.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The child ended early.");
                if (round > 0) seconds.Add(clock.Elapsed.TotalSeconds);
                parts = line;
                child.WaitForExit();
            }
            Console.WriteLine($"\nfrom process start to the end of step 1, quickstart, n = {rounds}, load before {load}, after {Turns.Load()}: {Turns.Text(seconds, "0.00")} s; the last: {parts}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The measured process; says where its time went.</summary>
    public static void RunChild(string folder)
    {
        double Since() => (DateTime.Now - Process.GetCurrentProcess().StartTime).TotalSeconds;
        double main = Since();
        List<string> texts = Peer.Corpus();
        Tokenizer tokenizer = Tokenizer.Load(folder);
        double read = Since();
        using var end = new CancellationTokenSource();
        string work = Path.Combine(folder, "work-" + Environment.ProcessId);
        try
        {
            new Pretraining { CheckpointEverySteps = int.MaxValue }.Run(texts, [], tokenizer, Path.Combine(folder, "target"), work, new First(step =>
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"main reached at {main:0.00}, corpus read at {read:0.00}, step 1 ended at {Since():0.00} s after {Environment.CpuUsage.TotalTime.TotalSeconds:0.00} s of processor time, loss {step.Loss:0.000}"));
                end.Cancel();
            }), end.Token);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private sealed class First(Action<TrainingStep> report) : IProgress<TrainingStep>
    {
        public void Report(TrainingStep value) => report(value);
    }
}

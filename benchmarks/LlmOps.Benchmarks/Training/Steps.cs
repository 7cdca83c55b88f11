using System.Diagnostics;
using LlmOps.Training;
using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;

namespace LlmOps.Benchmarks.Training;

/// <summary>A model with its optimizer that goes on from turn to turn, with the same clearing, clipping and update as the library's loop.</summary>
internal sealed class Steps(string name, int threads, FlatParameters trainable, Func<int, Accumulated> accumulate, int stepsPerTurn, Action? beforeTurn = null, Action? dispose = null) : ISide
{
    private readonly Optimizer optimizer = Optimizer.Create(new OptimizerOptions(), trainable);
    private int at;

    public string Name => name;

    /// <summary>Work of one step; its tokens unless set.</summary>
    public Func<Accumulated, double> Work { get; init; } = result => result.Tokens;

    public Measured Turn()
    {
        TimeSpan before = Environment.CpuUsage.TotalTime;
        var clock = Stopwatch.StartNew();
        double work = TrainingThread.Run(threads, () =>
        {
            beforeTurn?.Invoke();
            double sum = 0;
            for (int i = 0; i < stepsPerTurn; i++, at++)
            {
                trainable.ClearGradients();
                Accumulated result = accumulate(at);
                optimizer.Step(at + 1, 1e-4, 1 / Math.Max(1, trainable.GradientNorm()));
                sum += Work(result);
            }
            return sum;
        });
        return new Measured(work, clock.Elapsed.TotalSeconds, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
    }

    public void Dispose() => dispose?.Invoke();
}

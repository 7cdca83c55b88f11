using System.Diagnostics;
using LlmOps.Training;

namespace LlmOps.Benchmarks.Training;

/// <summary>A training of the library that rests between its turns: its progress callback waits on the training thread.</summary>
internal sealed class TrainingSide : ISide, IProgress<TrainingStep>
{
    private readonly SemaphoreSlim mayRun = new(0), rests = new(0);
    private readonly CancellationTokenSource end = new();
    private readonly Thread thread;
    private readonly int stepsPerTurn;
    private readonly Func<int, double> workOfStep;
    private readonly Stopwatch clock = new();
    private double work;
    private Exception? failure;

    /// <param name="name">Shown in the table.</param>
    /// <param name="stepsPerTurn">Optimizer steps of one turn.</param>
    /// <param name="workOfStep">Work of a step, counted from 0, such as its tokens.</param>
    /// <param name="run">Runs a training with this progress and token.</param>
    public TrainingSide(string name, int stepsPerTurn, Func<int, double> workOfStep, Action<IProgress<TrainingStep>, CancellationToken> run)
    {
        (Name, this.stepsPerTurn, this.workOfStep) = (name, stepsPerTurn, workOfStep);
        thread = new Thread(() =>
        {
            try
            {
                run(this, end.Token);
                failure = new InvalidOperationException($"'{name}' ended before its last turn.");
            }
            catch (Exception e)
            {
                failure = e;
            }
            rests.Release();
        })
        { IsBackground = true };
        thread.Start();
        // The first step is not timed: reading data and starting libtorch are no training.
        Rest();
    }

    public string Name { get; }

    /// <summary>Loss of each step so far.</summary>
    public List<double> Losses { get; } = [];

    public Measured Turn()
    {
        work = 0;
        TimeSpan before = Environment.CpuUsage.TotalTime;
        clock.Restart();
        mayRun.Release();
        Rest();
        return new Measured(work, clock.Elapsed.TotalSeconds, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
    }

    public void Report(TrainingStep step)
    {
        work += workOfStep(Losses.Count);
        Losses.Add(step.Loss);
        if ((Losses.Count - 1) % stepsPerTurn != 0) return;
        rests.Release();
        mayRun.Wait(end.Token);
    }

    public void Dispose()
    {
        end.Cancel();
        thread.Join();
    }

    private void Rest()
    {
        rests.Wait();
        if (failure is not null) throw new InvalidOperationException(failure.Message, failure);
    }
}

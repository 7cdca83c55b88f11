using LlmOps.Engines;
using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;
using LlmOps.Training.Schedules;
using TorchSharp;

namespace LlmOps.Training.Tests;

/// <summary>The loop over a model of eight weights whose gradients the test chooses.</summary>
public sealed class TrainingLoopTests : IDisposable
{
    private readonly string work = Path.Combine(Path.GetTempPath(), "llmops-loop-" + Guid.NewGuid().ToString("N"));
    private readonly FlatParameters parameters;

    public TrainingLoopTests()
    {
        TorchRuntime.Start(2);
        parameters = new FlatParameters([new ParameterShape("w", [8], Decays: true)], trainable: true);
    }

    [Theory]
    [InlineData(OptimizerKind.AdamW)]
    [InlineData(OptimizerKind.Sgd)]
    [InlineData(OptimizerKind.Adafactor)]
    [InlineData(OptimizerKind.Lion)]
    [InlineData(OptimizerKind.RmsProp)]
    public void AKilledRun_GoesOnFromItsCheckpoint_ToTheBit(OptimizerKind kind)
    {
        var options = new Options { Optimizer = new(kind) { Momentum = kind == OptimizerKind.Sgd ? 0.9 : 0 }, CheckpointEverySteps = 5, EmaDecay = 0.9 };
        TrainingReport whole = Loop(10, options, "whole").Run(Quadratic, null, TestContext.Current.CancellationToken);
        float[] expected = parameters.Values.ToArray();
        parameters.Values.Clear();

        // A kill leaves what the last checkpoint holds; the seventh step's work is lost.
        Assert.Throws<InvalidOperationException>(() => Loop(10, options, "killed").Run(step => step == 7 ? throw new InvalidOperationException() : Quadratic(step), null, TestContext.Current.CancellationToken));
        parameters.Values.Fill(-3);
        TrainingReport resumed = Loop(10, options, "killed").Run(Quadratic, null, TestContext.Current.CancellationToken);

        Assert.Equal(5, resumed.ResumedFromStep);
        Assert.Equal(expected, parameters.Values.ToArray());
        Assert.Equal(whole.FinalLoss, resumed.FinalLoss);
    }

    [Fact]
    public void ADamagedCheckpoint_IsPassedOverForTheOneBefore()
    {
        var options = new Options { CheckpointEverySteps = 3, KeepLast = 2 };
        Loop(9, options, "run").Run(Quadratic, null, TestContext.Current.CancellationToken);
        float[] expected = parameters.Values.ToArray();
        string[] kept = [.. Directory.GetDirectories(Path.Combine(work, "run", "checkpoints")).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];
        Assert.Equal(["step-00000006", "step-00000009"], kept);
        string newest = Path.Combine(work, "run", "checkpoints", kept[1], "state.safetensors");
        byte[] bytes = File.ReadAllBytes(newest);
        bytes[^1] ^= 1;
        File.WriteAllBytes(newest, bytes);
        parameters.Values.Clear();

        TrainingReport resumed = Loop(9, options, "run").Run(Quadratic, null, TestContext.Current.CancellationToken);

        Assert.Equal(6, resumed.ResumedFromStep);
        Assert.Equal(expected, parameters.Values.ToArray());
    }

    [Fact]
    public void EarlyStop_TakesTheWeightsOfTheBestEvaluation()
    {
        double[] heldOut = [5, 3, 4, 4.5, 5];
        int asked = 0;
        var weights = new List<float>();
        var loop = Loop(100, new Options { EvaluateEverySteps = 2, Patience = 3 }, "run", () => new Dictionary<string, double> { [TrainingLoop.HeldOutLoss] = heldOut[asked++] });

        TrainingReport report = loop.Run(step => { if (step % 2 == 0) weights.Add(parameters.Values[0]); return Quadratic(step); }, null, TestContext.Current.CancellationToken);

        Assert.Equal((10, 4), (report.Steps, report.WeightsOfStep));
        // weights[2] was seen before the fifth step, which is after the fourth.
        Assert.Equal(weights[2], parameters.Values[0]);
        Assert.Contains("weights of step 4", report.VerdictText, StringComparison.Ordinal);
    }

    [Fact]
    public void FinishRequested_EndsTheRunAsIfTheStepHadBeenTheLast()
    {
        var watch = new Watch { FinishAfter = 4 };

        TrainingReport report = Loop(100, new Options(), "run").Run(Quadratic, watch, TestContext.Current.CancellationToken);

        Assert.Equal(4, report.Steps);
        SavedCheckpoint saved = Assert.Single(watch.Checkpoints);
        Assert.Equal(4, saved.Step);
    }

    [Fact]
    public void StartFrom_GoesOnFromAnotherRunsCheckpoint_WithOtherOptions()
    {
        var first = new Watch();
        Loop(6, new Options { CheckpointEverySteps = 3 }, "first").Run(Quadratic, first, TestContext.Current.CancellationToken);

        TrainingReport longer = Loop(12, new Options { LearningRate = 0.05 }, "second").Run(Quadratic, new Watch { StartFrom = first.Checkpoints[0].Folder }, TestContext.Current.CancellationToken);

        Assert.Equal((3, 12), (longer.ResumedFromStep, longer.Steps));
    }

    [Fact]
    public void StartFrom_RefusesACheckpointOfAnotherOptimizer()
    {
        var first = new Watch();
        Loop(3, new Options { Optimizer = new(OptimizerKind.Sgd) }, "first").Run(Quadratic, first, TestContext.Current.CancellationToken);

        var refusal = Assert.Throws<InvalidModelException>(() => Loop(6, new Options(), "second").Run(Quadratic, new Watch { StartFrom = first.Checkpoints[0].Folder }, TestContext.Current.CancellationToken));

        Assert.Contains("another optimizer", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void BrokenSteps_AreNamed()
    {
        Assert.Equal(TrainingVerdict.NotANumber, Verdict(step => Of(step == 3 ? double.NaN : 1)));
        Assert.Equal(TrainingVerdict.NotANumber, Verdict(step => { parameters.Gradients[0] = float.PositiveInfinity; return Of(1); }));
        Assert.Equal(TrainingVerdict.NothingLabelled, Verdict(step => new Accumulated(0, 0, new Dictionary<string, double>())));
        Assert.Equal(TrainingVerdict.Diverged, Verdict(step => { parameters.Gradients.Fill(1); return Of(step < 5 ? 2 : 2.6); }));
        Assert.Equal(TrainingVerdict.ExplodingGradients, Verdict(step => { parameters.Gradients.Fill(step < 40 ? 1 : 2000); return Of(1); }));
        Assert.Equal(TrainingVerdict.OutOfMemory, Verdict(step => { using var all = torch.empty(1L << 50); return Of(1); }));
    }

    [Fact]
    public void ALossThatRisesAgainButStaysBelowItsBeginning_IsNoDivergence()
        => Assert.Equal(100, Loop(100, new Options(), "run").Run(step => Of(step < 50 ? 5 - 0.08 * step : 4), null, TestContext.Current.CancellationToken).Steps);

    [Fact]
    public void AFailedRun_KeepsItsLastGoodCheckpoint()
    {
        var options = new Options { CheckpointEverySteps = 5 };
        Assert.Throws<TrainingFailedException>(() => Loop(20, options, "run").Run(step => step == 12 ? Of(double.NaN) : Quadratic(step), null, TestContext.Current.CancellationToken));

        TrainingReport resumed = Loop(20, options, "run").Run(Quadratic, null, TestContext.Current.CancellationToken);

        Assert.Equal((10, 20), (resumed.ResumedFromStep, resumed.Steps));
    }

    [Fact]
    public void AverageOfWeights_IsWhatIsSavedAndEvaluated()
    {
        var seen = new List<float>();
        var loop = Loop(3, new Options { EmaDecay = 0.5, EvaluateEverySteps = 1, Optimizer = new(OptimizerKind.Sgd), LearningRate = 0.1, MaxGradientNorm = 1e6, Schedule = new(ScheduleKind.Constant) { WarmupFraction = 0 } }, "run",
            () => { seen.Add(parameters.Values[0]); return new Dictionary<string, double> { [TrainingLoop.HeldOutLoss] = 1 }; });

        loop.Run(step => { parameters.Gradients.Fill(-10); return Of(1); }, null, TestContext.Current.CancellationToken);

        // Weights 1, 2, 3 by steps of -0.1 · -10; averages 0.5, 1.25, 2.125 from 0 by halves.
        Assert.Equal([0.5f, 1.25f, 2.125f], seen);
        Assert.Equal(2.125f, parameters.Values[0]);
    }

    public void Dispose()
    {
        parameters.Dispose();
        if (Directory.Exists(work)) Directory.Delete(work, recursive: true);
    }

    private TrainingVerdict Verdict(Func<int, Accumulated> accumulate)
        => Assert.Throws<TrainingFailedException>(() => Loop(100, new Options(), Guid.NewGuid().ToString("N")).Run(accumulate, null, TestContext.Current.CancellationToken)).Verdict;

    private static Accumulated Of(double loss) => new(loss, 1, new Dictionary<string, double>());

    /// <summary>½·Σ(w - target)² with a target that depends on the step.</summary>
    private Accumulated Quadratic(int step)
    {
        double loss = 0;
        for (int i = 0; i < 8; i++)
        {
            float away = parameters.Values[i] - (i + (float)Math.Sin(step));
            parameters.Gradients[i] += away;
            loss += 0.5 * away * away;
        }
        return new Accumulated(loss, 8, new Dictionary<string, double>());
    }

    private TrainingLoop Loop(int steps, Options options, string name, Func<IReadOnlyDictionary<string, double>>? heldOut = null)
        => new(parameters, new LoopSettings(steps, options, Path.Combine(work, name), "key")) { HeldOut = heldOut };

    private sealed record Options : LoopOptions
    {
        public Options() => LearningRate = 0.1;
    }

    private sealed class Watch : ITrainingWatch
    {
        public int FinishAfter { get; init; } = int.MaxValue;
        public string? StartFrom { get; init; }
        public bool FinishRequested { get; private set; }
        public List<SavedCheckpoint> Checkpoints { get; } = [];
        public void Report(TrainingStep value) => FinishRequested = value.Step >= FinishAfter;
        public void Saved(SavedCheckpoint checkpoint) => Checkpoints.Add(checkpoint);
        public void Removed(int step) => Checkpoints.RemoveAll(c => c.Step == step);
    }
}

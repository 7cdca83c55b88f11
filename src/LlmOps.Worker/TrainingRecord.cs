using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Training;

namespace LlmOps.Worker;

/// <summary>What a training has told since the last time it was asked.</summary>
public sealed record TrainingNews(IReadOnlyList<MetricPoint> Points, IReadOnlyList<(int Step, TrainingSample Sample)> Samples, IReadOnlyList<SavedCheckpoint> Saved, IReadOnlyList<int> Removed)
{
    public bool IsEmpty => Points.Count + Samples.Count + Saved.Count + Removed.Count == 0;
}

/// <summary>Takes what the training thread tells; the training never waits for the database.</summary>
internal sealed class TrainingRecord(JobContext job, string? startFrom) : ITrainingWatch
{
    private readonly Lock gate = new();
    private List<MetricPoint> points = [];
    private List<(int, TrainingSample)> samples = [];
    private List<SavedCheckpoint> saved = [];
    private List<int> removed = [];
    private int lastLogged = -1;

    public bool FinishRequested => job.KeepRequested;

    public string? StartFrom => startFrom;

    public void Report(TrainingStep step)
    {
        lock (gate)
        {
            Add(step, "loss", step.Loss);
            Add(step, "learning_rate", step.LearningRate);
            Add(step, "gradient_norm", step.GradientNorm);
            Add(step, "tokens_per_second", step.TokensPerSecond);
            foreach (var (key, value) in step.Metrics)
                Add(step, key, value);
            samples.AddRange(step.Samples.Select(s => (step.Step, s)));
        }
        job.Report((double)step.Step / Math.Max(1, step.TotalSteps), $"step {step.Step} of {step.TotalSteps}, loss {step.Loss:0.000}, {step.TokensPerSecond:N0} tokens/s");
        var tenth = step.Step * 10 / Math.Max(1, step.TotalSteps);
        if (tenth == lastLogged)
            return;
        lastLogged = tenth;
        job.Log($"step {step.Step} of {step.TotalSteps}: loss {step.Loss:0.0000}, learning rate {step.LearningRate:0.0e0}, gradient norm {step.GradientNorm:0.00}, {step.TokensPerSecond:N0} tokens/s");
    }

    public void Checked(TrainingDataReport report)
    {
        job.Log($"Data: {report.Examples:N0} examples, {report.HeldOut:N0} held out; " + (report.Findings.Count == 0 ? "no leak between them and nothing else to report." : $"{report.Findings.Count} findings."));
        foreach (var finding in report.Findings)
            job.Log($"{finding.Name}: {finding.Sentence}{(finding.First.Count == 0 ? "" : " First: " + string.Join(" · ", finding.First.Select(f => $"row {f.Row}, {f.Text}")))}", "warning");
        if (report.DroppedForLeakage > 0)
            job.Log($"{report.DroppedForLeakage:N0} training rows are left out because they are among the held-out ones.", "warning");
    }

    public void Saved(SavedCheckpoint checkpoint)
    {
        lock (gate)
            saved.Add(checkpoint);
    }

    public void Removed(int step)
    {
        lock (gate)
        {
            // One that was never stored needs no removal.
            if (saved.RemoveAll(s => s.Step == step) == 0)
                removed.Add(step);
        }
    }

    public TrainingNews Take()
    {
        lock (gate)
        {
            var news = new TrainingNews(points, samples, saved, removed);
            (points, samples, saved, removed) = ([], [], [], []);
            return news;
        }
    }

    private void Add(TrainingStep step, string key, double value)
    {
        if (double.IsFinite(value))
            points.Add(new MetricPoint(key, step.Step, value));
    }
}

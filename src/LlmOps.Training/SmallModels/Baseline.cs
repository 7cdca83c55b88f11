using System.Diagnostics;
using LlmOps.Engines.SmallModels;
using LlmOps.Training.Architectures;
using Microsoft.ML.Data;

namespace LlmOps.Training.SmallModels;

/// <summary>Mean and standard deviation of each feature; a constant feature has deviation 1.</summary>
internal sealed record Standardisation(float[] Mean, float[] Deviation)
{
    public static Standardisation Of(IReadOnlyList<Sample> samples)
    {
        int features = samples[0].Values.Length;
        double[] mean = [.. Enumerable.Range(0, features).Select(i => samples.Average(s => (double)s.Values[i]))];
        double[] spread = [.. Enumerable.Range(0, features).Select(i => Math.Sqrt(samples.Average(s => Math.Pow(s.Values[i] - mean[i], 2))))];
        return new([.. mean.Select(m => (float)m)], [.. spread.Select(d => d < 1e-12 ? 1f : (float)d)]);
    }

    public float[] Apply(float[] values) => [.. values.Select((v, i) => (v - Mean[i]) / Deviation[i])];
}

/// <summary>What the classical models share around their fit.</summary>
internal static class Baseline
{
    /// <summary>Features of every row.</summary>
    /// <exception cref="ArgumentException">There is no row, one is a picture, or they differ in length.</exception>
    public static int Features(IReadOnlyList<Sample> samples)
    {
        if (samples.Count < 2) throw new ArgumentException($"There are {samples.Count} rows; at least 2 are needed.");
        if (samples.Any(s => s.IsImage)) throw new ArgumentException("A picture is no row of a table; a classical model learns from features.");
        if (samples.FirstOrDefault(s => s.Values.Length != samples[0].Values.Length) is { } other)
            throw new ArgumentException($"One row has {samples[0].Values.Length} features and another {other.Values.Length}; all must have the same.");
        return samples[0].Values.Length;
    }

    public static SchemaDefinition Schema(Type row, int features)
    {
        SchemaDefinition schema = SchemaDefinition.Create(row);
        schema["Features"].ColumnType = new VectorDataViewType(NumberDataViewType.Single, features);
        return schema;
    }

    public static FlatParameters Filled(SmallModelConfig config, params (string Name, float[] Values)[] tensors)
    {
        FlatParameters parameters = SmallModelFolder.Parameters(config, trainable: false);
        foreach (var (name, values) in tensors) values.CopyTo(parameters.ValuesOf(name));
        return parameters;
    }

    /// <summary>The written weights must say what ML.NET's own model says; a library that changes its conventions would otherwise go unseen.</summary>
    public static void EnsureSame(IReadOnlyList<float> wanted, IReadOnlyList<float> found)
    {
        double scale = Math.Max(1, wanted.Max(Math.Abs));
        double most = wanted.Zip(found, (a, b) => Math.Abs((double)a - b)).Max();
        if (!(most <= 1e-3 * scale)) throw new TrainingFailedException($"The weights that were read out of ML.NET's model do not give its predictions: they differ by up to {most:0.0e0}.");
    }

    /// <summary>Fits on a thread of its own, measures the held-out rows and reports both as one step.</summary>
    public static TrainingReport Timed(
        IReadOnlyList<Sample> samples, IReadOnlyList<Sample> heldOut, IProgress<TrainingStep>? progress, Func<(SmallModelConfig Config, string Sha256, string Loss)> fit, string folder)
    {
        var clock = Stopwatch.StartNew();
        var (config, sha256, lossName) = TrainingThread.Run(TorchRuntime.Threads, fit);
        double seconds = clock.Elapsed.TotalSeconds;
        using TorchSmallModel model = TorchSmallModel.Load(folder);
        double loss = Loss(SmallModelEvaluation.Run(config, model.Run, samples));
        var metrics = new Dictionary<string, double> { [lossName] = loss };
        IReadOnlyList<TrainingSample> pictures = [];
        if (heldOut.Count > 0)
        {
            SmallModelScores scores = SmallModelEvaluation.Run(config, model.Run, heldOut);
            metrics[$"held_out_{lossName}"] = Loss(scores);
            pictures = [.. scores.Pictures.Select(p => new TrainingSample(p.Title, FormattableString.Invariant($"{heldOut.Count} held-out rows; {lossName} {metrics[$"held_out_{lossName}"]:0.####}"), p.Png))];
        }
        progress?.Report(new TrainingStep(1, 1, loss, 0, 0, samples.Count / seconds, metrics) { Samples = pictures });
        string verdict = FormattableString.Invariant($"Fitted in {seconds:0.00} s: {lossName} {loss:0.####} on the training rows{(heldOut.Count > 0 ? $", {metrics[$"held_out_{lossName}"]:0.####} on the held-out ones" : "")}.");
        return new TrainingReport(1, samples.Count, loss, seconds, samples.Count / seconds, sha256, metrics, 0) { Verdict = TrainingVerdict.CannotTell, VerdictText = verdict, WeightsOfStep = 1 };
    }

    // Root of the mean squared residual, or the share of wrong labels.
    private static double Loss(SmallModelScores scores) => scores.Rows.Where(r => r.Metric == SmallModelMetrics.Residuals).Select(r => r.Value).ToList() is { Count: > 0 } squares
        ? Math.Sqrt(squares.Average()) : 1 - scores.Rows.Where(r => r.Metric == SmallModelMetrics.Accuracy).Average(r => r.Value);
}

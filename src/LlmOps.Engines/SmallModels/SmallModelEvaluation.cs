using LlmOps.Engines.Pictures;

namespace LlmOps.Engines.SmallModels;

/// <summary>What a small model did on one sample, under one metric.</summary>
/// <param name="Sample">Index of the sample.</param>
/// <param name="Metric">Which of <see cref="SmallModelMetrics"/>.</param>
/// <param name="Value">The row's score.</param>
/// <param name="Statistics">Sufficient statistics, for a metric that is no mean of its rows; null otherwise.</param>
/// <param name="Expected">What was right, for people.</param>
/// <param name="Answer">What the model said, for people.</param>
/// <param name="Slice">Group of the row: its label.</param>
public sealed record SampleScore(int Sample, string Metric, double Value, double[]? Statistics = null, string? Expected = null, string? Answer = null, string? Slice = null);

/// <summary>Names of what small models are measured by.</summary>
public static class SmallModelMetrics
{
    /// <summary>1 where the label is right.</summary>
    public const string Accuracy = "classification";

    /// <summary>Mean F1 over the labels; statistics are right, predicted and wanted for each label.</summary>
    public const string MacroF1 = "classes";

    /// <summary>Share of the target's variance that is explained; statistics are squared error, 1, target and squared target.</summary>
    public const string RSquared = "regression";

    /// <summary>Root of the mean squared error, with the same statistics.</summary>
    public const string Residuals = "residuals";

    /// <summary>Squared error per pixel of an image that went through the code of an autoencoder.</summary>
    public const string Reconstruction = "reconstruction";

    /// <summary>The same for the mean of the other images, which needs no model.</summary>
    public const string ReconstructionBaseline = "reconstruction_baseline";

    /// <summary>Negative evidence bound of a variational autoencoder, bits per pixel.</summary>
    public const string Bound = "evidence_bound";

    /// <summary>Divergence of the code from its prior, nats per image.</summary>
    public const string Divergence = "code_divergence";

    /// <summary>Squared error per pixel of the noise that a diffusion predicts, averaged over its steps.</summary>
    public const string Denoising = "denoising";

    /// <summary>The same for predicting no noise, which needs no model.</summary>
    public const string DenoisingBaseline = "denoising_baseline";

    /// <summary>Squared maximum mean discrepancy between samples and images (<see cref="KernelDistance"/>).</summary>
    public const string Distance = "sample_distance";

    /// <summary>The same for images whose pixels are drawn independently of each other.</summary>
    public const string DistanceBaseline = "sample_distance_baseline";
}

/// <summary>Scores of held-out samples, row by row, and pictures of them.</summary>
public sealed record SmallModelScores(IReadOnlyList<SampleScore> Rows, IReadOnlyList<Picture> Pictures);

/// <summary>Measures a small model on samples that it has not learned from.</summary>
public static class SmallModelEvaluation
{
    private const int BatchSize = 64;

    /// <summary>Runs the model on every sample.</summary>
    /// <param name="config">Sizes and labels.</param>
    /// <param name="model">The checkpoint, or a graph in ONNX Runtime.</param>
    /// <param name="samples">At least one.</param>
    /// <param name="ct">Stops between two batches.</param>
    /// <exception cref="ArgumentException">There is no sample, one has the wrong size, or one lacks what the metric needs.</exception>
    public static SmallModelScores Run(SmallModelConfig config, SmallModelRun model, IReadOnlyList<Sample> samples, CancellationToken ct = default)
    {
        if (samples.Count == 0)
            throw new ArgumentException("There is no sample to measure.", nameof(samples));
        return config switch
        {
            CnnClassifierConfig cnn => ClassifierEvaluation.Score(cnn.Labels, samples, FirstOutput(config, model, samples, ct)),
            LinearRegressionConfig => RegressionEvaluation.Score(samples, [.. FirstOutput(config, model, samples, ct).Select(o => (double)o[0])]),
            KernelSvmConfig svm => WithSurface(svm, model, samples, ClassifierEvaluation.Score(svm.Labels, samples, FirstOutput(config, model, samples, ct), margins: true)),
            AutoencoderConfig autoencoder => AutoencoderEvaluation.Score(autoencoder, model, samples, ct),
            DiffusionConfig diffusion => DiffusionEvaluation.Score(diffusion, model, samples, ct),
            _ => throw new UnsupportedModelException($"A {config.Kind} is not measured on samples."),
        };
    }

    private static SmallModelScores WithSurface(KernelSvmConfig config, SmallModelRun model, IReadOnlyList<Sample> samples, SmallModelScores scores) =>
        config.Features == 2 ? scores with { Pictures = [DecisionSurface.Draw(config.Labels, model, samples), .. scores.Pictures] } : scores;

    /// <summary>The first output of every sample, batch by batch, each of the same width.</summary>
    internal static float[][] FirstOutput(SmallModelConfig config, SmallModelRun model, IReadOnlyList<Sample> samples, CancellationToken ct)
    {
        var all = new List<float[]>(samples.Count);
        foreach (var batch in samples.Chunk(BatchSize))
        {
            ct.ThrowIfCancellationRequested();
            var values = model(SmallModelInputs.Of(config, batch))[0].Values<float>();
            var width = values.Length / batch.Length;
            for (var i = 0; i < batch.Length; i++)
                all.Add(values.Slice(i * width, width).ToArray());
        }
        return [.. all];
    }
}

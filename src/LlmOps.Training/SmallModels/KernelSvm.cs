using LlmOps.Engines.SmallModels;
using LlmOps.Training.Architectures;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Trainers;

namespace LlmOps.Training.SmallModels;

/// <summary>
/// Fits a <see cref="KernelSvmConfig"/>: the kernel by random Fourier features of our own, the machine on them with ML.NET's LinearSvm (Pegasos,
/// Shalev-Shwartz et al. 2011: hinge loss and an L2 penalty), one for each label against the others. Both are approximations: there are no support
/// vectors, and the margin is not the exact optimum's.
/// </summary>
public sealed record KernelSvm
{
    /// <summary>γ of exp(−γ ‖x − y‖²) on standardised features; 0 takes 1 / features.</summary>
    public double Gamma { get; init; }

    /// <summary>Random features: more come closer to the kernel and cost time.</summary>
    public int RandomFeatures { get; init; } = 300;

    /// <summary>Penalty λ; small values fit the training rows more closely.</summary>
    public double L2 { get; init; } = 1e-4;

    /// <summary>Passes over the rows.</summary>
    public int Iterations { get; init; } = 50;

    /// <summary>Seed of the random features and of the order.</summary>
    public int Seed { get; init; }

    /// <summary>Fits and writes a checkpoint folder.</summary>
    /// <param name="samples">Rows of equal length, each with a label.</param>
    /// <param name="heldOut">Rows that are measured only; empty for none. Those with a label that the others lack are left out.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="progress">Told once, at the end, with the decision surface where rows have two features.</param>
    /// <param name="ct">Looked at before each label.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the rows cannot be used.</exception>
    /// <exception cref="TrainingFailedException">What ML.NET predicts and what the written weights give differ.</exception>
    public TrainingReport Run(IReadOnlyList<Sample> samples, IReadOnlyList<Sample> heldOut, string targetFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Check.Within(Gamma, 0, 1e6);
        Check.Above(L2, 0);
        Check.AtLeast(Iterations, 1);
        int features = Baseline.Features(samples);
        if (samples.Any(s => s.Target.Length == 0)) throw new ArgumentException("A row has no label: a classifier learns from labels.");
        var config = new KernelSvmConfig(features, RandomFeatures, [.. samples.Select(s => s.Target).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)]);
        config.EnsureValid();
        var (kernel, offset) = Kernel(Standardisation.Of(samples), features);
        float[][] mapped = [.. samples.Select(s => Map(kernel, offset, s.Values))];
        return Baseline.Timed(samples, [.. heldOut.Where(s => config.Labels.Contains(s.Target))], progress, () =>
        {
            var (weights, bias) = (new float[config.Labels.Count * RandomFeatures], new float[config.Labels.Count]);
            foreach (var (label, name) in config.Labels.Index())
            {
                ct.ThrowIfCancellationRequested();
                // Two labels are one question asked twice: the second machine is the first one mirrored.
                if (config.Labels.Count == 2 && label == 1)
                {
                    for (int i = 0; i < RandomFeatures; i++) weights[RandomFeatures + i] = -weights[i];
                    bias[1] = -bias[0];
                    break;
                }
                LabelRow[] rows = [.. samples.Select((s, i) => new LabelRow { Features = mapped[i], Label = s.Target == name })];
                LinearBinaryModelParameters fitted = Fit(rows);
                fitted.Weights.ToArray().CopyTo(weights, label * RandomFeatures);
                bias[label] = fitted.Bias;
            }
            using FlatParameters parameters = Baseline.Filled(config, ("kernel.weight", kernel), ("kernel.bias", offset), ("svm.weight", weights), ("svm.bias", bias));
            return (config, SmallModelFolder.Save(config, parameters, targetFolder), "error");
        }, targetFolder);
    }

    private LinearBinaryModelParameters Fit(LabelRow[] rows)
    {
        var ml = new MLContext(seed: Seed);
        IDataView Rows(IEnumerable<LabelRow> some) => ml.Data.LoadFromEnumerable(some, Baseline.Schema(typeof(LabelRow), RandomFeatures));
        var fitted = ml.BinaryClassification.Trainers.LinearSvm(new LinearSvmTrainer.Options { NumberOfIterations = Iterations, Lambda = (float)L2, BatchSize = 1, PerformProjection = false }).Fit(Rows(rows));
        float[] wanted = [.. fitted.Transform(Rows(rows.Take(200))).GetColumn<float>("Score")];
        float[] weights = [.. fitted.Model.Weights];
        Baseline.EnsureSame(wanted, [.. rows.Take(200).Select(r => r.Features.Zip(weights, (x, w) => x * w).Sum() + fitted.Model.Bias)]);
        return fitted.Model;
    }

    /// <summary>Rows of Ω / σ with Ω from N(0, 2 γ), and φ − Ω μ / σ with φ from U(0, 2 π): standardisation and features in one affine map.</summary>
    private (float[] Weight, float[] Bias) Kernel(Standardisation scale, int features)
    {
        var random = new CounterRandom(Seed, -1, 0);
        double deviation = Math.Sqrt(2 * (Gamma > 0 ? Gamma : 1.0 / features));
        var (weight, bias) = (new float[RandomFeatures * features], new float[RandomFeatures]);
        for (int row = 0; row < RandomFeatures; row++)
        {
            double shift = 2 * Math.PI * random.NextDouble();
            for (int i = 0; i < features; i++)
            {
                double value = deviation * random.NextGaussian() / scale.Deviation[i];
                weight[row * features + i] = (float)value;
                shift -= value * scale.Mean[i];
            }
            bias[row] = (float)shift;
        }
        return (weight, bias);
    }

    private float[] Map(float[] weight, float[] bias, float[] x)
    {
        float scale = MathF.Sqrt(2f / RandomFeatures);
        return [.. bias.Select((b, row) => scale * MathF.Cos(x.Select((v, i) => v * weight[row * x.Length + i]).Sum() + b))];
    }

    private sealed class LabelRow
    {
        public float[] Features { get; set; } = [];
        public bool Label { get; set; }
    }
}

using LlmOps.Engines.SmallModels;
using LlmOps.Training.Architectures;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Trainers;

namespace LlmOps.Training.SmallModels;

/// <summary>
/// Fits a <see cref="LinearRegressionConfig"/> with ML.NET's stochastic dual coordinate ascent (Shalev-Shwartz and Zhang 2013): squared error plus
/// an L2 penalty on the weights of the standardised features. It comes close to the closed solution and does not reach it exactly.
/// </summary>
public sealed record LinearRegression
{
    /// <summary>Penalty λ of (λ / 2) ‖w‖². Below about 1e-4 the method stops far from the optimum.</summary>
    public double L2 { get; init; } = 1e-3;

    /// <summary>Upper limit of passes over the rows.</summary>
    public int Iterations { get; init; } = 1000;

    /// <summary>Seed of the order.</summary>
    public int Seed { get; init; }

    /// <summary>Fits and writes a checkpoint folder.</summary>
    /// <param name="samples">Rows of equal length with a number as target.</param>
    /// <param name="heldOut">Rows that are measured only; empty for none.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="progress">Told once, at the end, with a picture of the held-out rows.</param>
    /// <param name="ct">Looked at before and after the fit.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the rows cannot be used.</exception>
    /// <exception cref="TrainingFailedException">What ML.NET predicts and what the written weights give differ.</exception>
    public TrainingReport Run(IReadOnlyList<Sample> samples, IReadOnlyList<Sample> heldOut, string targetFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Check.Above(L2, 0);
        Check.AtLeast(Iterations, 1);
        int features = Baseline.Features(samples);
        float[] targets = [.. samples.Select(s => (float)s.Number)];
        var scale = Standardisation.Of(samples);
        ct.ThrowIfCancellationRequested();
        return Baseline.Timed(samples, heldOut, progress, () =>
        {
            var ml = new MLContext(seed: Seed);
            IDataView Rows(IEnumerable<NumberRow> rows) => ml.Data.LoadFromEnumerable(rows, Baseline.Schema(typeof(NumberRow), features));
            NumberRow[] rows = [.. samples.Select((s, i) => new NumberRow { Features = scale.Apply(s.Values), Label = targets[i] })];
            var fitted = ml.Regression.Trainers.Sdca(new SdcaRegressionTrainer.Options
            {
                L2Regularization = (float)L2, L1Regularization = 0, MaximumNumberOfIterations = Iterations, ConvergenceTolerance = 1e-9f, BiasLearningRate = 1, NumberOfThreads = 1,
            }).Fit(Rows(rows));
            ct.ThrowIfCancellationRequested();
            // Standardisation is affine, so it goes into the weights: w / σ, and b − Σ w μ / σ.
            float[] weights = [.. fitted.Model.Weights.Select((w, i) => w / scale.Deviation[i])];
            float bias = fitted.Model.Bias - weights.Zip(scale.Mean, (w, m) => w * m).Sum();
            var config = new LinearRegressionConfig(features);
            using FlatParameters parameters = Baseline.Filled(config, ("linear.weight", weights), ("linear.bias", [bias]));
            float[] wanted = [.. fitted.Transform(Rows(rows.Take(200))).GetColumn<float>("Score")];
            Baseline.EnsureSame(wanted, [.. samples.Take(200).Select(s => s.Values.Zip(weights, (x, w) => x * w).Sum() + bias)]);
            return (config, SmallModelFolder.Save(config, parameters, targetFolder), "rmse");
        }, targetFolder);
    }

    private sealed class NumberRow
    {
        public float[] Features { get; set; } = [];
        public float Label { get; set; }
    }
}

using LlmOps.Engines.Onnx;
using LlmOps.Engines.SmallModels;

namespace LlmOps.Engines.Tests.SmallModels;

public sealed class GenerativeEvaluationTests
{
    [Fact]
    public void KernelDistance_EqualsTheUnbiasedFormulaWorkedOutByHand()
    {
        // Bandwidth 1: pairs within {0, 1} give e^−1, within {0, 2} e^−4; across 1, e^−4, e^−1, e^−1.
        double[] parts = KernelDistance.Contributions([[0f], [1f]], [[0f], [2f]], 1);

        double wanted = Math.Exp(-1) + Math.Exp(-4) - 2 * (1 + Math.Exp(-4) + 2 * Math.Exp(-1)) / 4;
        Assert.Equal(wanted, parts.Average(), 1e-12);
        Assert.Equal(Math.Exp(-4) + Math.Exp(-1) - (1 + Math.Exp(-4)), parts[0], 1e-12);
    }

    [Fact]
    public void KernelDistance_IsNearZeroForOneDistribution_AndLargeForAnother()
    {
        float[][] Draw(int seed, float shift) => [.. Enumerable.Range(0, 200).Select(i =>
        {
            var vector = new float[5];
            new CounterRandom(seed, 0, i).Gaussian(vector);
            return vector.Select(v => v + shift).ToArray();
        })];
        float[][] data = Draw(1, 0);
        double bandwidth = KernelDistance.Bandwidth(data);

        // The median of ‖a − b‖² for two draws of N(0, 1)⁵ is twice that of χ² with 5 degrees of freedom, 4.351.
        Assert.InRange(bandwidth, 8, 9.5);
        Assert.InRange(KernelDistance.Contributions(data, Draw(2, 0), bandwidth).Average(), -0.004, 0.004);
        Assert.InRange(KernelDistance.Contributions(data, Draw(2, 0.5f), bandwidth).Average(), 0.02, 0.2);
        Assert.Throws<ArgumentException>(() => KernelDistance.Contributions([[1f]], data, 1));
    }

    [Fact]
    public void EvidenceBound_EqualsTheFormulasWorkedOutByHand()
    {
        Assert.Equal(0.5 + 0.8068528, AutoencoderBound.Divergence([1, 0], [0, MathF.Log(4)]), 1e-6);
        Assert.Equal(Math.Log(2) + Math.Log(4), AutoencoderBound.NegativeLogLikelihood(ReconstructionLoss.Bernoulli, [0.5f, 0.75f], [1, 0]), 1e-6);
        Assert.Equal(0.25 + 0.5625 + Math.Log(Math.PI), AutoencoderBound.NegativeLogLikelihood(ReconstructionLoss.SquaredError, [0.5f, 0.75f], [1, 0]), 1e-6);
        // A pixel that is certain and wrong costs much, not infinitely much.
        Assert.InRange(AutoencoderBound.NegativeLogLikelihood(ReconstructionLoss.Bernoulli, [1], [0]), 15, 17);
    }

    [Fact]
    public void Autoencoder_IsMeasuredByErrorAndBound_AgainstTheMeanOfTheOtherImages()
    {
        var config = new VariationalAutoencoderConfig { ImageSize = 4, Latent = 2 };
        Sample[] samples = [.. new[] { 0f, 0.5f, 1f }.Select(v => new Sample([.. Enumerable.Repeat(v, 16)], 4, 4, "x"))];
        // Every image becomes gray; the code is the prior.
        IReadOnlyList<NamedTensor> Gray(IReadOnlyList<NamedTensor> inputs)
        {
            long rows = inputs[0].Shape[0];
            return [NamedTensor.Of("reconstruction", [.. Enumerable.Repeat(0.5f, (int)rows * 16)], rows, 1, 4, 4), NamedTensor.Of("latent", new float[rows * 2], rows, 2), NamedTensor.Of("log_variance", new float[rows * 2], rows, 2)];
        }

        SmallModelScores scores = SmallModelEvaluation.Run(config, Gray, samples, TestContext.Current.CancellationToken);

        double[] Of(string metric) => [.. scores.Rows.Where(r => r.Metric == metric).OrderBy(r => r.Sample).Select(r => Math.Round(r.Value, 6))];
        Assert.Equal([0.25, 0, 0.25], Of(SmallModelMetrics.Reconstruction));
        Assert.Equal([0.5625, 0, 0.5625], Of(SmallModelMetrics.ReconstructionBaseline));
        Assert.Equal([0.0, 0, 0], Of(SmallModelMetrics.Divergence));
        Assert.Equal([1.0, 1, 1], Of(SmallModelMetrics.Bound)); // a fair coin per pixel
        Assert.Equal(3, scores.Pictures.Count);
    }

    [Fact]
    public void Diffusion_IsMeasuredByItsErrorAtFixedNoise_AndTheDistanceOfItsSamples()
    {
        var config = new DiffusionConfig { ImageSize = 4, Timesteps = 40 };
        NoiseSchedule schedule = config.Noise();
        Sample[] samples = [.. Enumerable.Range(0, 60).Select(i => new Sample([.. Enumerable.Repeat(i % 2 == 0 ? 0f : 1f, 16)], 4, 4, ""))];
        // The best prediction for images that are all black or all white: the posterior weighs both.
        IReadOnlyList<NamedTensor> Exact(IReadOnlyList<NamedTensor> inputs)
        {
            float[] x = inputs[0].Values<float>().ToArray(), noise = new float[x.Length];
            for (int row = 0; row < x.Length / 16; row++)
            {
                int t = (int)inputs[1].Values<long>()[row];
                double a = schedule.Signal(t), b = schedule.Noise(t), mean = Math.Tanh(a * x.Skip(row * 16).Take(16).Sum() / (b * b));
                for (int i = row * 16; i < (row + 1) * 16; i++)
                    noise[i] = (float)((x[i] - a * mean) / b);
            }
            return [NamedTensor.Of("noise", noise, [.. inputs[0].Shape])];
        }

        SmallModelScores scores = SmallModelEvaluation.Run(config, Exact, samples, TestContext.Current.CancellationToken);

        double Mean(string metric) => scores.Rows.Where(r => r.Metric == metric).Average(r => r.Value);
        // 60 · 8 · 16 squared normal values: deviation √(2 / 7680).
        Assert.InRange(Mean(SmallModelMetrics.DenoisingBaseline), 1 - 4 * Math.Sqrt(2 / 7680.0), 1 + 4 * Math.Sqrt(2 / 7680.0));
        Assert.InRange(Mean(SmallModelMetrics.Denoising), 0, 0.1);
        Assert.InRange(Mean(SmallModelMetrics.Distance), -0.05, 0.05);
        // h is 4. Black and white are 16 apart; each of 16 independent pixels differs from another image's with chance ½, by 1.
        double apart = (1 + Math.Exp(-4)) / 2 - Math.Pow((1 + Math.Exp(-0.25)) / 2, 16);
        Assert.InRange(Mean(SmallModelMetrics.DistanceBaseline), apart - 0.03, apart + 0.03);
        Assert.Equal(4, scores.Pictures.Count);
    }

    [Theory]
    [InlineData("{\"model_type\":\"vae\",\"image_size\":16,\"latent\":4,\"convolutional\":false,\"width\":64,\"reconstruction\":\"SquaredError\"}", typeof(VariationalAutoencoderConfig))]
    [InlineData("{\"model_type\":\"autoencoder\",\"latent\":4}", typeof(PlainAutoencoderConfig))]
    [InlineData("{\"model_type\":\"ddpm\",\"u_net\":false,\"width\":64,\"timesteps\":50,\"schedule\":\"linear\"}", typeof(DiffusionConfig))]
    public void Configuration_ComesBackFromItsFile(string json, Type type)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("config.json"), json);
        SmallModelConfig config = SmallModelConfig.TryRead(folder.Root)!;

        Assert.IsType(type, config);
        config.Write(folder.At("again"));
        Assert.Equal(config, SmallModelConfig.TryRead(folder.At("again")));
    }

    [Theory]
    [InlineData("{\"model_type\":\"vae\",\"image_size\":10}", "multiple of 4")]
    [InlineData("{\"model_type\":\"ddpm\",\"width\":12}", "multiple of 8")]
    [InlineData("{\"model_type\":\"ddpm\",\"schedule\":\"none\"}", "linear or cosine")]
    public void ConfigurationThatMakesNoSense_IsRefused(string json, string reason)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("config.json"), json);

        Assert.Contains(reason, Assert.Throws<InvalidModelException>(() => SmallModelConfig.TryRead(folder.Root)).Message, StringComparison.Ordinal);
    }
}

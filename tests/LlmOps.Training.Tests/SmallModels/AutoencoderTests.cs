using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.SmallModels;
using LlmOps.Training.SmallModels;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Tests.SmallModels;

public sealed class AutoencoderTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("llmops-autoencoder-").FullName;

    public AutoencoderTests() => TorchRuntime.Start(2);

    [Fact]
    public void Divergence_EqualsTheFormulaWorkedOutByHand()
    {
        using var scope = NewDisposeScope();
        // ½ (1 + 1 − 1 − 0) + ½ (0 + 4 − 1 − ln 4), and 0 for the prior itself.
        float[] kl = AutoencoderLoss.Divergence(tensor(new[] { 1f, 0f, 0f, 0f }, [2, 2]), tensor(new[] { 0f, MathF.Log(4), 0f, 0f }, [2, 2])).data<float>().ToArray();

        Assert.Equal(0.5 + 0.8068528, kl[0], 6);
        Assert.Equal(0, kl[1], 6);
    }

    [Fact]
    public void Divergence_AgreesWithTheMeanLogRatioOfDraws()
    {
        using var scope = NewDisposeScope();
        const double mean = 0.7, logVariance = -0.9;
        double deviation = Math.Exp(logVariance / 2), sum = 0;
        const int draws = 200_000;
        var random = new CounterRandom(1, 0, 0);
        for (int i = 0; i < draws; i++)
        {
            double noise = random.NextGaussian(), z = mean + deviation * noise;
            sum += -Math.Log(deviation) - noise * noise / 2 + z * z / 2;
        }

        Assert.Equal(sum / draws, AutoencoderLoss.Divergence(tensor(new[] { (float)mean }, [1, 1]), tensor(new[] { (float)logVariance }, [1, 1])).item<float>(), 0.005);
    }

    [Fact]
    public void Reconstruction_EqualsTheFormulasWorkedOutByHand()
    {
        using var scope = NewDisposeScope();
        Tensor logits = tensor(new[] { 0f, MathF.Log(3) }, [1, 2]), image = tensor(new[] { 1f, 0f }, [1, 2]);

        Assert.Equal(Math.Log(2) + Math.Log(4), AutoencoderLoss.Reconstruction(ReconstructionLoss.Bernoulli, logits, image).item<float>(), 5);
        Assert.Equal(0.25 + 0.5625, AutoencoderLoss.Reconstruction(ReconstructionLoss.SquaredError, logits, image).item<float>(), 6);
    }

    [Fact]
    public void Reparameterisation_ShiftsAndScalesTheNoise()
    {
        using var scope = NewDisposeScope();
        float[] code = AutoencoderLoss.Reparameterise(tensor(new[] { 1f, 0f }), tensor(new[] { 0f, MathF.Log(4) }), tensor(new[] { 0.5f, -1f })).data<float>().ToArray();

        Assert.Equal(1.5, code[0], 6);
        Assert.Equal(-2, code[1], 6);
    }

    [Theory]
    [InlineData(false, ReconstructionLoss.Bernoulli)]
    [InlineData(true, ReconstructionLoss.Bernoulli)]
    [InlineData(true, ReconstructionLoss.SquaredError)]
    public void GradientsOfTheReparameterisedLoss_EqualFiniteDifferences(bool convolutional, ReconstructionLoss reconstruction)
    {
        using var scope = NewDisposeScope();
        var config = new VariationalAutoencoderConfig { ImageSize = 4, Latent = 3, Convolutional = convolutional, Width = 4, Reconstruction = reconstruction };
        Tensor images = GradientCheck.Uniform(7, 5, 16), noise = GradientCheck.Normal(8, 5, 3);

        GradientCheck.Run(config, weights =>
        {
            var (loss, kl) = AutoencoderLoss.Of(new AutoencoderNetwork(config, name => weights[name]), config, images, noise);
            return loss.mean() + 0.7 * kl!.mean();
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EightImages_AreLearntByHeart(bool convolutional)
    {
        var steps = new List<TrainingStep>();
        var training = new Autoencoder { Convolutional = convolutional, Width = convolutional ? 16 : 128, Reconstruction = ReconstructionLoss.SquaredError, Epochs = 400, BatchSize = 8, LearningRate = 5e-3, Threads = 2 };

        TrainingReport report = training.Run(Images(8), [], At("target"), At("work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        // Per pixel: below a thousandth of what it began with, a hundredth of a gray level squared.
        Assert.True(report.FinalLoss / 256 < 0.001, $"{steps[0].Loss / 256} -> {report.FinalLoss / 256} per pixel");
        Assert.Equal(["Reconstructions", "Interpolation"], steps[^1].Samples.Select(s => s.Title));
    }

    [Fact]
    public void VariationalRun_LowersTheHeldOutBound_AndShowsPictures()
    {
        var steps = new List<TrainingStep>();
        var training = new Autoencoder { Variational = true, Epochs = 12, BatchSize = 32, Width = 8, Threads = 2, Seed = 3 };

        TrainingReport report = training.Run(Images(320), Images(60, seed: 9), At("target"), At("work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        var measured = steps.Where(s => s.Metrics.ContainsKey(TrainingLoop.HeldOutLoss)).Select(s => s.Metrics).ToList();
        Assert.True(measured[^1][TrainingLoop.HeldOutLoss] < 0.75 * measured[0][TrainingLoop.HeldOutLoss], $"{measured[0][TrainingLoop.HeldOutLoss]} -> {measured[^1][TrainingLoop.HeldOutLoss]}");
        Assert.Equal(measured[^1][TrainingLoop.HeldOutLoss], measured[^1]["held_out_reconstruction"] + measured[^1]["held_out_kl"], 1e-9);
        Assert.True(measured[^1]["held_out_kl"] > 1, "the code is not used");
        Assert.Equal(["Reconstructions", "Samples", "Latent traversal"], steps[^1].Samples.Select(s => s.Title));
        Assert.All(steps[^1].Samples, s => Assert.Equal([0x89, 0x50, 0x4E, 0x47], s.Png![..4]));
        var config = Assert.IsType<VariationalAutoencoderConfig>(SmallModelConfig.TryRead(At("target")));
        Assert.Equal((16, 8, 8, true), (config.ImageSize, config.Latent, config.Width, config.Convolutional));
        Assert.Equal(ModelFolder.Sha256(Path.Combine(At("target"), "model.safetensors")), report.WeightsSha256);
    }

    [Fact]
    public void DivergenceWeight_RisesToBeta()
    {
        var training = new Autoencoder { Beta = 4, BetaWarmupFraction = 0.5 };

        Assert.Equal([0.8, 1.6, 2.4, 3.2, 4, 4], new[] { 0, 1, 2, 3, 4, 9 }.Select(step => Math.Round(training.BetaAt(step, 10), 12)));
    }

    [Fact]
    public void Gradients_AreTheSame_HoweverTheStepIsCutIntoParts()
    {
        var config = new VariationalAutoencoderConfig { Width = 8 };
        var set = new ImageSet(Images(12), low: 0);
        float[][] gradients = [.. new[] { 12, 5, 1 }.Select(part =>
        {
            using var scope = NewDisposeScope();
            using var parameters = SmallModelFolder.Parameters(config, trainable: true);
            StartingWeights.Fill(parameters, seed: 2);
            new Autoencoder { Variational = true, Width = 8, MicroBatch = part }.Accumulate(new AutoencoderNetwork(config, name => parameters[name]), config, set, [.. Enumerable.Range(0, 12)], 4, 1, CancellationToken.None);
            return parameters.Gradients.ToArray();
        })];

        float greatest = gradients[0].Max(Math.Abs);
        Assert.All(gradients[1..], g => Assert.True(g.Zip(gradients[0]).Max(p => Math.Abs(p.First - p.Second)) < 1e-5 * greatest));
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(true, false)]
    public void ExportedGraph_ComputesWhatTheCheckpointComputes(bool variational, bool convolutional)
    {
        CancellationToken ct = TestContext.Current.CancellationToken;
        new Autoencoder { Variational = variational, Convolutional = convolutional, Width = convolutional ? 8 : 64, MaxSteps = 20, Epochs = 20, BatchSize = 16, Threads = 2 }.Run(Images(64), [], At("target"), At("work"), ct: ct);
        ExportReport exported = SmallModelExport.Run(At("target"), At("onnx"));
        using TorchSmallModel reference = TorchSmallModel.Load(At("target"));

        ParityReport parity = new SmallModelParity().Run(reference.Run, At("onnx"), ct: ct);

        Assert.True(parity.Passed, string.Join(" ", parity.Failures));
        Assert.Equal(reference.Config.ParameterCount, exported.Parameters);
        using SmallModelSession session = SmallModelSession.Open(At("onnx"));
        Sample[] heldOut = Images(30, seed: 9);
        SmallModelScores torch = SmallModelEvaluation.Run(reference.Config, reference.Run, heldOut, ct), onnx = SmallModelEvaluation.Run(session.Config, session.Run, heldOut, ct);
        Assert.Equal(torch.Rows.Select(r => (r.Sample, r.Metric)), onnx.Rows.Select(r => (r.Sample, r.Metric)));
        Assert.All(torch.Rows.Zip(onnx.Rows), pair => Assert.Equal(pair.First.Value, pair.Second.Value, 1e-3 * (1 + Math.Abs(pair.First.Value))));
        Assert.Equal([.. variational ? new[] { "Reconstructions", "Samples", "Latent traversal" } : ["Reconstructions", "Interpolation"]], onnx.Pictures.Select(p => p.Title.Split(':')[0]));
    }

    [Fact]
    public void QuantizedGraphs_MeasureNearlyTheSame()
    {
        CancellationToken ct = TestContext.Current.CancellationToken;
        new Autoencoder { Variational = true, Width = 16, Epochs = 8, BatchSize = 32, Threads = 2 }.Run(Images(160), [], At("target"), At("work"), ct: ct);
        SmallModelExport.Run(At("target"), At("onnx"));
        SmallModelConfig config = SmallModelConfig.TryRead(At("target"))!;
        var data = new CalibrationData([.. Images(40, seed: 3).Select(s => SmallModelInputs.Of(config, [s]))]);
        double Measure(string folder)
        {
            using SmallModelSession session = SmallModelSession.Open(At(folder));
            return SmallModelEvaluation.Run(session.Config, session.Run, Images(40, seed: 9), ct).Rows.Where(r => r.Metric == SmallModelMetrics.Reconstruction).Average(r => r.Value);
        }

        double exact = Measure("onnx");
        foreach (var (name, pass) in new (string, QuantizationPass)[] { ("int8", new DynamicInt8()), ("static", new StaticQdq { Calibration = data }), ("fp16", new HalfPrecision { Calibration = data }) })
        {
            QuantizationReport report = pass.Run(At("onnx"), At(name), ct: ct);
            Assert.True(report.Quantized >= 4, $"{name}: {report.Quantized} nodes");
            Assert.True(report.TargetBytes < 0.75 * report.SourceBytes, $"{name}: {report.SourceBytes} -> {report.TargetBytes} bytes");
            Assert.InRange(Measure(name), 0.9 * exact, (name == "fp16" ? 1.01 : 1.15) * exact);
        }
    }

    [Fact]
    public void CancelledRun_ContinuesBitForBit()
    {
        var training = new Autoencoder { Variational = true, MaxSteps = 10, BatchSize = 8, Width = 8, Threads = 2 };
        TrainingReport Run(string name, IProgress<TrainingStep>? progress, CancellationToken ct) => training.Run(Images(40), Images(10, seed: 4), At(name), At(name + "-work"), progress, ct);

        TrainingReport whole = Run("whole", null, TestContext.Current.CancellationToken);
        using var cancel = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => Run("parts", new OnStep(s => { if (s.Step == 5) cancel.Cancel(); }), cancel.Token));
        TrainingReport resumed = Run("parts", null, TestContext.Current.CancellationToken);

        Assert.Equal((10, 5), (resumed.Steps, resumed.ResumedFromStep));
        Assert.Equal((whole.WeightsSha256, whole.FinalLoss), (resumed.WeightsSha256, resumed.FinalLoss));
    }

    [Fact]
    public void PicturesThatAreNotSquareOrOfDifferentSizes_AreRefused()
    {
        string Refusal(params Sample[] samples) => Assert.Throws<ArgumentException>(() => new Autoencoder().Run(samples, [], At("t"), At("w"), ct: TestContext.Current.CancellationToken)).Message;

        Assert.Contains("no picture", Refusal(), StringComparison.Ordinal);
        Assert.Contains("not from rows of a table", Refusal(new Sample([1, 2], 0, 0, "")), StringComparison.Ordinal);
        Assert.Contains("4 × 8 pixels; square ones", Refusal(new Sample(new float[32], 4, 8, "")), StringComparison.Ordinal);
        Assert.Contains("4 × 4 and 8 × 8", Refusal(new Sample(new float[16], 4, 4, ""), new Sample(new float[64], 8, 8, "")), StringComparison.Ordinal);
        Assert.Contains("multiple of 4", Refusal(new Sample(new float[100], 10, 10, "")), StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(root, recursive: true);

    private static Sample[] Images(int count, int seed = 1) => [.. GlyphImages.Make(count, seed).Select(i => new Sample(i.ToFloats(), 16, 16, i.Label))];

    private string At(string name) => Path.Combine(root, name);
}

using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.SmallModels;
using LlmOps.Training.SmallModels;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Tests.SmallModels;

public sealed class DenoisingDiffusionTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("llmops-diffusion-").FullName;

    public DenoisingDiffusionTests() => TorchRuntime.Start(2);

    [Fact]
    public void NoisyImages_AreSignalPlusNoise_InTheScheduleProportions()
    {
        using var scope = NewDisposeScope();
        var set = new ImageSet(Images(6), low: -1);
        var schedule = NoiseSchedule.Linear(100);

        NoisyBatch batch = NoisyBatch.Draw(set, [5, 2], schedule, seed: 3, step: 11);
        NoisyBatch other = NoisyBatch.Draw(set, [2], schedule, seed: 3, step: 11);

        float[] noisy = batch.Noisy.data<float>().ToArray(), noise = batch.Noise.data<float>().ToArray();
        long[] steps = batch.Steps.data<long>().ToArray();
        for (int row = 0; row < 2; row++)
        {
            double bar = schedule.Betas.Take((int)steps[row] + 1).Aggregate(1.0, (product, beta) => product * (1 - beta));
            for (int i = 0; i < 256; i++)
                Assert.Equal(Math.Sqrt(bar) * set[row == 0 ? 5 : 2][i] + Math.Sqrt(1 - bar) * noise[row * 256 + i], noisy[row * 256 + i], 1e-5);
        }
        // The noise belongs to the image's index, not to its place in the batch.
        Assert.Equal(noisy[256..], other.Noisy.data<float>().ToArray());
        Assert.InRange(noise.Average(v => v * v), 0.8, 1.2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GradientsOfTheLoss_EqualFiniteDifferences(bool unet)
    {
        using var scope = NewDisposeScope();
        var config = new DiffusionConfig { ImageSize = 8, UNet = unet, Width = 8, Timesteps = 30 };
        Tensor noisy = GradientCheck.Normal(7, 3, 64), noise = GradientCheck.Normal(8, 3, 64), steps = tensor(new long[] { 0, 13, 29 });

        GradientCheck.Run(config, weights =>
        {
            using var network = new DiffusionNetwork(config, name => weights[name], ScalarType.Float64);
            return (network.Predict(noisy, steps) - noise).square().mean();
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void FirstLoss_IsThatOfPredictingNoNoise(bool unet)
    {
        var steps = new List<TrainingStep>();
        new DenoisingDiffusion { UNet = unet, Width = 8, MaxSteps = 1, BatchSize = 32, PreviewSteps = 2, Threads = 2 }.Run(Images(32), [], At("t"), At("w"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        // The output layer starts at zero, and noise has variance 1: 8192 values, deviation √(2 / 8192).
        Assert.InRange(steps[0].Loss, 1 - 4 * Math.Sqrt(2 / 8192.0), 1 + 4 * Math.Sqrt(2 / 8192.0));
    }

    [Fact]
    public void FourSmallImages_AreLearntByHeart_AndSamplesLookLikeThem()
    {
        var training = new DenoisingDiffusion { UNet = false, Width = 256, Timesteps = 100, Epochs = 2000, BatchSize = 32, LearningRate = 2e-3, EmaDecay = 0.98, PreviewSteps = 5, Threads = 2 };
        // Each eight times, with noise of its own.
        float[][] images = [.. Enumerable.Repeat(Images(4).Select(i => Quarter(i.Values)), 8).SelectMany(i => i)];
        Sample[] samples = [.. images.Select(i => new Sample(i, 4, 4, ""))];
        var steps = new List<TrainingStep>();

        training.Run(samples, samples, At("target"), At("work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        double[] heldOut = [.. steps.Where(s => s.Metrics.ContainsKey(TrainingLoop.HeldOutLoss)).Select(s => s.Metrics[TrainingLoop.HeldOutLoss])];
        Assert.True(heldOut[^1] < 0.15, $"loss {string.Join(", ", heldOut)}");
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var config = Assert.IsType<DiffusionConfig>(SmallModelConfig.TryRead(At("target")));
        using var parameters = SmallModelFolder.Load(config, At("target"));
        using var network = new DiffusionNetwork(config, name => parameters[name]);
        float[] drawn = new DiffusionSampler(config.Noise(), 50, Eta: 0).Sample(
            (x, t) => network.Predict(tensor(x, [x.Length / 16, 16]), full([x.Length / 16], t, ScalarType.Int64)).data<float>().ToArray(), 40, 16, seed: 1, ct: TestContext.Current.CancellationToken);

        double Distance(float[] a, float[] b) => a.Zip(b, (x, y) => Math.Pow((x + 1) / 2 - y, 2)).Average();
        double[] nearest = [.. drawn.Chunk(16).Select(sample => images.Min(image => Distance(sample, image)))];
        double apart = images.Take(4).SelectMany((a, i) => images.Take(4).Skip(i + 1).Select(b => a.Zip(b, (x, y) => Math.Pow(x - y, 2)).Average())).Min();
        Assert.Equal(4, drawn.Chunk(16).Select(sample => images.MinBy(image => Distance(sample, image))).Distinct().Count());
        Assert.True(nearest.Average() < apart / 10, $"samples are {nearest.Average()} from the nearest image; images are at least {apart} apart");
    }

    [Fact]
    public void UNet_LowersTheHeldOutLoss()
    {
        var steps = new List<TrainingStep>();
        new DenoisingDiffusion { Width = 8, Epochs = 8, BatchSize = 16, LearningRate = 4e-3, EmaDecay = 0.9, PreviewSteps = 2, Threads = 2 }
            .Run(Images(160), Images(50, seed: 4), At("target"), At("work"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        double[] heldOut = [.. steps.Where(s => s.Metrics.ContainsKey(TrainingLoop.HeldOutLoss)).Select(s => s.Metrics[TrainingLoop.HeldOutLoss])];
        Assert.Equal(10, heldOut.Length);
        Assert.True(heldOut[^1] < 0.5 * heldOut[0], string.Join(", ", heldOut));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ExportedGraph_ComputesWhatTheCheckpointComputes(bool unet)
    {
        CancellationToken ct = TestContext.Current.CancellationToken;
        new DenoisingDiffusion { UNet = unet, Width = unet ? 8 : 64, Timesteps = 40, MaxSteps = 20, Epochs = 20, BatchSize = 16, LearningRate = 5e-3, EmaDecay = 0.5, PreviewSteps = 2, Threads = 2 }.Run(Images(64), [], At("target"), At("work"), ct: ct);
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
        Assert.Equal(["Samples", "Denoising", "Held-out images, samples of 25 steps (DDIM), samples of all 40 steps (DDPM), and pixels drawn independently", "Mean and standard deviation of each pixel"], onnx.Pictures.Select(p => p.Title.Split(':')[0]));
    }

    [Fact]
    public void QuantizedGraphs_MeasureNearlyTheSame()
    {
        CancellationToken ct = TestContext.Current.CancellationToken;
        new DenoisingDiffusion { Width = 8, Timesteps = 40, Epochs = 6, BatchSize = 16, LearningRate = 4e-3, EmaDecay = 0.8, PreviewSteps = 2, Threads = 2 }.Run(Images(160), [], At("target"), At("work"), ct: ct);
        SmallModelExport.Run(At("target"), At("onnx"));
        SmallModelConfig config = SmallModelConfig.TryRead(At("target"))!;
        var data = new CalibrationData([.. Images(40, seed: 3).Select(s => SmallModelInputs.Of(config, [s]))]);
        double Measure(string folder)
        {
            using SmallModelSession session = SmallModelSession.Open(At(folder));
            return SmallModelEvaluation.Run(session.Config, session.Run, Images(40, seed: 9), ct).Rows.Where(r => r.Metric == SmallModelMetrics.Denoising).Average(r => r.Value);
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
    public void CancelledRun_ContinuesBitForBit_AveragedWeightsIncluded()
    {
        var training = new DenoisingDiffusion { MaxSteps = 10, BatchSize = 8, Width = 8, Timesteps = 50, EmaDecay = 0.9, PreviewSteps = 2, Threads = 2 };
        TrainingReport Run(string name, IProgress<TrainingStep>? progress, CancellationToken ct) => training.Run(Images(40), Images(10, seed: 4), At(name), At(name + "-work"), progress, ct);

        TrainingReport whole = Run("whole", null, TestContext.Current.CancellationToken);
        using var cancel = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => Run("parts", new OnStep(s => { if (s.Step == 5) cancel.Cancel(); }), cancel.Token));
        TrainingReport resumed = Run("parts", null, TestContext.Current.CancellationToken);

        Assert.Equal((10, 5), (resumed.Steps, resumed.ResumedFromStep));
        Assert.Equal((whole.WeightsSha256, whole.FinalLoss), (resumed.WeightsSha256, resumed.FinalLoss));
    }

    [Fact]
    public void Run_ShowsSamplesAndTheirWayFromNoise()
    {
        var steps = new List<TrainingStep>();
        new DenoisingDiffusion { Width = 8, MaxSteps = 4, SampleEverySteps = 2, EmaDecay = 0, LearningRate = 0.1, BatchSize = 8, PreviewSteps = 12, Threads = 2 }
            .Run(Images(16), [], At("t"), At("w"), new OnStep(steps.Add), TestContext.Current.CancellationToken);

        Assert.Equal([2, 4], steps.Where(s => s.Samples.Count > 0).Select(s => s.Step));
        Assert.Equal(["Samples", "Denoising"], steps[^1].Samples.Select(s => s.Title));
        Assert.NotEqual(steps[1].Samples[0].Png, steps[3].Samples[0].Png);
    }

    [Fact]
    public void OptionsThatCannotBe_AreRefused()
    {
        string Refusal(DenoisingDiffusion training) => Assert.Throws<ArgumentException>(() => training.Run(Images(4), [], At("t"), At("w"))).Message;

        Assert.Contains("multiple of 8", Refusal(new() { Width = 12 }), StringComparison.Ordinal);
        Assert.Contains("linear or cosine", Refusal(new() { Noise = "none" }), StringComparison.Ordinal);
        Assert.Contains("at least 25 steps", Refusal(new() { Noise = "linear", Timesteps = 10 }), StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(root, recursive: true);

    private static Sample[] Images(int count, int seed = 1) => [.. GlyphImages.Make(count, seed).Select(i => new Sample(i.ToFloats(), 16, 16, i.Label))];

    private static float[] Quarter(float[] image) =>
        [.. Enumerable.Range(0, 16).Select(i => Enumerable.Range(0, 16).Average(j => image[(i / 4 * 4 + j / 4) * 16 + i % 4 * 4 + j % 4]))];

    private string At(string name) => Path.Combine(root, name);
}

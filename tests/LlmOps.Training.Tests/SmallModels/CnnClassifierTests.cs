using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.SmallModels;
using LlmOps.Training.SmallModels;

namespace LlmOps.Training.Tests.SmallModels;

public sealed class CnnClassifierTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("llmops-cnn-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string At(string name) => Path.Combine(folder, name);

    private static List<Sample> Glyphs(int count, int seed) => [.. GlyphImages.Make(count, seed).Select(g => new Sample(g.ToFloats(), GlyphImages.Size, GlyphImages.Size, g.Label))];

    [Fact]
    public void TrainedOnGlyphs_ItReadsPicturesThatItHasNotSeen_AndTheGraphAgreesWithTheCheckpoint()
    {
        TrainingReport report = new CnnClassifier { FirstFilters = 8, SecondFilters = 16, HiddenSize = 32, Epochs = 6, BatchSize = 32, LearningRate = 4e-3, Threads = 2 }
            .Run(Glyphs(1000, 1), Glyphs(100, 9), At("model"), At("work"), ct: Stop);

        Assert.Equal(64, report.WeightsSha256.Length);
        ExportReport exported = SmallModelExport.Run(At("model"), At("onnx"));
        Assert.Equal(8 * 9 + 8 + 16 * 8 * 9 + 16 + 32 * 16 * 16 + 32 + 10 * 32 + 10, exported.Parameters);
        using TorchSmallModel torch = TorchSmallModel.Load(At("model"), 2);
        ParityReport parity = new SmallModelParity().Run(torch.Run, At("onnx"), ct: Stop);
        Assert.True(parity.Passed, string.Join(' ', parity.Failures));
        Assert.Equal(1, parity.ArgmaxAgreement);

        List<Sample> heldOut = Glyphs(300, 2);
        using SmallModelSession session = SmallModelSession.Open(At("onnx"));
        SmallModelScores scores = SmallModelEvaluation.Run(session.Config, session.Run, heldOut, Stop);
        Assert.InRange(Accuracy(scores), 0.9, 1);
        Assert.Equal(Accuracy(scores), Accuracy(SmallModelEvaluation.Run(torch.Config, torch.Run, heldOut, Stop)), 0.01);

        new StaticQdq { Calibration = new CalibrationData([.. Glyphs(100, 1).Select(s => SmallModelInputs.Of(session.Config, [s]))]) }.Run(At("onnx"), At("int8"), ct: Stop);
        using SmallModelSession quantized = SmallModelSession.Open(At("int8"));
        Assert.Equal(Accuracy(scores), Accuracy(SmallModelEvaluation.Run(quantized.Config, quantized.Run, heldOut, Stop)), 0.03);
    }

    [Fact]
    public void TheNetwork_ComputesConvolutionMaximumAndDenseLayers_AsWrittenOutByHand()
    {
        var config = new CnnClassifierConfig(8, 4, 2, 3, 5, ["a", "b"]);
        var weights = Random(config);
        var random = new Random(3);
        float[] pixels = [.. Enumerable.Range(0, 32).Select(_ => random.NextSingle())];
        TrainingThread.Run(2, () =>
        {
            using var parameters = SmallModelFolder.Parameters(config, trainable: false);
            foreach (var (name, values) in weights) values.CopyTo(parameters.ValuesOf(name));
            return SmallModelFolder.Save(config, parameters, At("hand"));
        });

        using TorchSmallModel torch = TorchSmallModel.Load(At("hand"), 2);
        float[] found = torch.Run([NamedTensor.Of("image", pixels, 1, 1, 8, 4)])[0].Values<float>().ToArray();

        double[] x = Stage(Stage([.. pixels.Select(p => (double)p)], 1, 8, 4, weights["conv1.weight"], weights["conv1.bias"]), 2, 4, 2, weights["conv2.weight"], weights["conv2.bias"]);
        double[] hidden = [.. Dense(x, weights["dense.weight"], weights["dense.bias"]).Select(v => Math.Max(0, v))];
        double[] wanted = Dense(hidden, weights["head.weight"], weights["head.bias"]);
        Assert.Equal(wanted.Length, found.Length);
        for (int i = 0; i < wanted.Length; i++) Assert.Equal(wanted[i], found[i], 1e-5);
    }

    [Fact]
    public void TheSameSeed_GivesTheSameWeights_AndAnotherSeedOthers()
    {
        string Weights(int seed, string name) => new CnnClassifier { FirstFilters = 2, SecondFilters = 2, HiddenSize = 4, MaxSteps = 3, BatchSize = 8, Shift = 1, Seed = seed, Threads = 2 }
            .Run(Glyphs(30, 1), [], At(name), At($"{name}-work"), ct: Stop).WeightsSha256;

        string first = Weights(5, "a");
        Assert.Equal(first, Weights(5, "b"));
        Assert.NotEqual(first, Weights(6, "c"));
    }

    [Fact]
    public void PicturesOfTwoSizes_MissingLabelsAndASingleLabel_AreRefusedBeforeTheFirstStep()
    {
        string Refusal(params Sample[] samples) => Assert.Throws<ArgumentException>(() => new CnnClassifier().Run(samples, [], At("never"), At("work"), ct: Stop)).Message;
        var picture = new Sample(new float[64], 8, 8, "a");

        Assert.Contains("8 × 8 and 4 × 16", Refusal(picture, new Sample(new float[64], 4, 16, "b")));
        Assert.Contains("no label", Refusal(picture, picture with { Target = "" }));
        Assert.Contains("two labels", Refusal(picture, picture));
        Assert.Contains("rows of a table", Refusal(picture, new Sample([1, 2], 0, 0, "b")));
        Assert.False(Directory.Exists(At("never")));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static double Accuracy(SmallModelScores scores) => scores.Rows.Where(r => r.Metric == SmallModelMetrics.Accuracy).Average(r => r.Value);

    private static Dictionary<string, float[]> Random(SmallModelConfig config)
    {
        var random = new Random(1);
        return config.Tensors().ToDictionary(t => t.Name, t => Enumerable.Range(0, (int)t.Shape.Aggregate(1L, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.4f).ToArray());
    }

    // Convolution with one pixel of zeros around, ReLU, then the largest of each 2 × 2.
    private static double[] Stage(double[] x, int channels, int height, int width, float[] kernel, float[] bias)
    {
        int filters = bias.Length;
        var full = new double[filters, height, width];
        for (int f = 0; f < filters; f++)
            for (int r = 0; r < height; r++)
                for (int c = 0; c < width; c++)
                {
                    double sum = bias[f];
                    for (int k = 0; k < channels; k++)
                        for (int i = -1; i <= 1; i++)
                            for (int j = -1; j <= 1; j++)
                                if (r + i >= 0 && r + i < height && c + j >= 0 && c + j < width)
                                    sum += kernel[((f * channels + k) * 3 + i + 1) * 3 + j + 1] * x[(k * height + r + i) * width + c + j];
                    full[f, r, c] = Math.Max(0, sum);
                }
        return [.. from f in Enumerable.Range(0, filters) from r in Enumerable.Range(0, height / 2) from c in Enumerable.Range(0, width / 2)
                   select Math.Max(Math.Max(full[f, 2 * r, 2 * c], full[f, 2 * r, 2 * c + 1]), Math.Max(full[f, 2 * r + 1, 2 * c], full[f, 2 * r + 1, 2 * c + 1]))];
    }

    private static double[] Dense(double[] x, float[] weights, float[] bias) => [.. bias.Select((b, o) => b + x.Select((v, i) => v * weights[o * x.Length + i]).Sum())];
}

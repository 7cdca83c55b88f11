using System.Text.Json;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.SmallModels;
using LlmOps.Training.SmallModels;

namespace LlmOps.Training.Tests.SmallModels;

public sealed class BaselineTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("llmops-baseline-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string At(string name) => Path.Combine(folder, name);

    private static List<Sample> Rows(string jsonl) => [.. jsonl.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => Sample.Parse(JsonDocument.Parse(l).RootElement))];

    [Fact]
    public void LinearRegression_ComesCloseToTheClosedSolution_AndItsGraphAgrees()
    {
        // Features of unlike scale and offset: what is written must be in their own units again.
        List<Sample> all = [.. Rows(new TableRows(Noise: 0.3, Seed: 1).Plane(1200)).Select(s => s with { Values = [100 * s.Values[0] + 7, s.Values[1], s.Values[2] / 50, s.Values[3]] })];
        List<Sample> train = all[..1000], heldOut = all[1000..];

        TrainingReport report = new LinearRegression().Run(train, heldOut, At("model"), ct: Stop);

        double[] closed = NormalEquations(train);
        double Said(Sample s) => closed[4] + s.Values.Select((v, i) => v * closed[i]).Sum();
        using TorchSmallModel model = TorchSmallModel.Load(At("model"));
        float[] found = model.Run(SmallModelInputs.Of(model.Config, heldOut))[0].Values<float>().ToArray();
        for (int i = 0; i < found.Length; i++) Assert.Equal(Said(heldOut[i]), found[i], 0.05);
        double rmse = Math.Sqrt(heldOut.Average(s => Math.Pow(Said(s) - s.Number, 2)));
        Assert.Equal(rmse, report.Metrics["held_out_rmse"], 0.01);

        SmallModelExport.Run(At("model"), At("onnx"));
        Assert.True(new SmallModelParity().Run(model.Run, At("onnx"), ct: Stop).Passed);
        using SmallModelSession session = SmallModelSession.Open(At("onnx"));
        SmallModelScores scores = SmallModelEvaluation.Run(session.Config, session.Run, heldOut, Stop);
        Assert.Equal(rmse, Math.Sqrt(scores.Rows.Where(r => r.Metric == SmallModelMetrics.Residuals).Average(r => r.Value)), 0.01);
        Assert.Contains("truth", Assert.Single(scores.Pictures).Title);
    }

    [Fact]
    public void KernelSvm_SeparatesTwoMoons_WhichNoStraightLineCan_AndItsGraphAgrees()
    {
        List<Sample> all = Rows(new TableRows(Noise: 0.15, Seed: 2).TwoMoons(1000));
        List<Sample> train = all[..800], heldOut = all[800..];

        TrainingReport report = new KernelSvm { Gamma = 1, RandomFeatures = 200 }.Run(train, heldOut, At("svm"), ct: Stop);

        Assert.InRange(report.Metrics["held_out_error"], 0, 0.05);
        double[] line = NormalEquations([.. train.Select(s => s with { Target = s.Target == "upper" ? "1" : "-1" })]);
        double straight = heldOut.Average(s => (line[2] + line[0] * s.Values[0] + line[1] * s.Values[1] > 0) == (s.Target == "upper") ? 0.0 : 1);
        Assert.InRange(straight, report.Metrics["held_out_error"] + 0.05, 1);
        SmallModelExport.Run(At("svm"), At("svm-onnx"));
        using TorchSmallModel model = TorchSmallModel.Load(At("svm"));
        ParityReport parity = new SmallModelParity().Run(model.Run, At("svm-onnx"), ct: Stop);
        Assert.True(parity.Passed, string.Join(' ', parity.Failures));
        using SmallModelSession session = SmallModelSession.Open(At("svm-onnx"));
        SmallModelScores scores = SmallModelEvaluation.Run(session.Config, session.Run, heldOut, Stop);
        Assert.Equal(1 - report.Metrics["held_out_error"], scores.Rows.Where(r => r.Metric == SmallModelMetrics.Accuracy).Average(r => r.Value), 0.006);
        Assert.StartsWith("Decision surface: lower blue, upper orange", scores.Pictures[0].Title, StringComparison.Ordinal);
        Assert.Contains("margin", scores.Rows[0].Answer);
    }

    [Fact]
    public void RandomFeatures_ComeCloseToTheGaussianKernel()
    {
        List<Sample> samples = Rows(new TableRows(Seed: 3).TwoMoons(60));
        new KernelSvm { Gamma = 0.7, RandomFeatures = 4000, Iterations = 1 }.Run(samples, [], At("kernel"), ct: Stop);
        using Engines.Checkpoints.SafetensorsFile file = Engines.Checkpoints.SafetensorsFile.Open(Path.Combine(At("kernel"), "model.safetensors"));
        float[] weight = file.ReadFloat32("kernel.weight"), bias = file.ReadFloat32("kernel.bias");
        double[] Map(Sample s) => [.. bias.Select((b, r) => Math.Sqrt(2.0 / 4000) * Math.Cos(weight[2 * r] * s.Values[0] + weight[2 * r + 1] * s.Values[1] + b))];
        double[] deviation = [.. Enumerable.Range(0, 2).Select(i => Math.Sqrt(samples.Average(s => Math.Pow(s.Values[i] - samples.Average(t => t.Values[i]), 2))))];

        for (int i = 0; i < 50; i++)
        {
            Sample a = samples[i], b = samples[i + 7];
            double kernel = Math.Exp(-0.7 * Enumerable.Range(0, 2).Sum(k => Math.Pow((a.Values[k] - b.Values[k]) / deviation[k], 2)));
            // One standard error of the mean of 4,000 products is 0.011.
            Assert.Equal(kernel, Map(a).Zip(Map(b), (x, y) => x * y).Sum(), 0.06);
        }
    }

    [Fact]
    public void RowsOfUnlikeLength_PicturesAndMissingTargets_AreRefused()
    {
        Sample row = new([1, 2], 0, 0, "1");
        Assert.Contains("another 1", Assert.Throws<ArgumentException>(() => new LinearRegression().Run([row, row with { Values = [1] }], [], At("no"), ct: Stop)).Message);
        Assert.Contains("picture", Assert.Throws<ArgumentException>(() => new KernelSvm().Run([row, new(new float[4], 2, 2, "a")], [], At("no"), ct: Stop)).Message);
        Assert.Contains("no number", Assert.Throws<ArgumentException>(() => new LinearRegression().Run([row, row with { Target = "x" }], [], At("no"), ct: Stop)).Message);
        Assert.Contains("no label", Assert.Throws<ArgumentException>(() => new KernelSvm().Run([row, row with { Target = "" }], [], At("no"), ct: Stop)).Message);
        Assert.False(Directory.Exists(At("no")));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>Least squares by Gaussian elimination on XᵀX; the last coefficient is the constant.</summary>
    private static double[] NormalEquations(IReadOnlyList<Sample> samples)
    {
        int n = samples[0].Values.Length + 1;
        var system = new double[n, n + 1];
        foreach (Sample sample in samples)
        {
            double[] x = [.. sample.Values.Select(v => (double)v), 1];
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < n; j++) system[i, j] += x[i] * x[j];
                system[i, n] += x[i] * sample.Number;
            }
        }
        for (int column = 0; column < n; column++)
        {
            for (int row = 0; row < n; row++)
            {
                if (row == column) continue;
                double factor = system[row, column] / system[column, column];
                for (int k = column; k <= n; k++) system[row, k] -= factor * system[column, k];
            }
        }
        return [.. Enumerable.Range(0, n).Select(i => system[i, n] / system[i, i])];
    }
}

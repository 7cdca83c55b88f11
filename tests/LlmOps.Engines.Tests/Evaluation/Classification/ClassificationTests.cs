using LlmOps.Engines.Evaluation.Classification;

namespace LlmOps.Engines.Tests.Evaluation.Classification;

public sealed class ClassificationTests
{
    private static ConfusionMatrix Of(int[] expected, int[] given) => ConfusionMatrix.Of(expected.Zip(given, (e, g) => ($"{e}", $"{g}")));

    // The examples in the documentation of scikit-learn's confusion_matrix, f1_score and matthews_corrcoef (sklearn/metrics/_classification.py).
    [Fact]
    public void Values_AgreeWithScikitLearn()
    {
        var confusion = Of([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2]);
        int[] cells = [.. Enumerable.Range(0, 9).Select(i => confusion[i / 3, i % 3])];
        Assert.Equal([2, 0, 0, 0, 0, 1, 1, 0, 2], cells);

        var scores = Of([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1]);
        Assert.Equal(("0.27", "0.33", "0.27"), (Text(scores.MacroF1), Text(scores.MicroF1), Text(scores.WeightedF1)));
        Assert.Equal([0.8, 0, 0], scores.PerLabel.Select(l => l.F1));
        Assert.Equal(1 / 3.0, scores.Accuracy, 1e-15);

        Assert.Equal(-1 / 3.0, Of([1, 1, 1, -1], [1, -1, 1, 1]).Mcc, 1e-15);
    }

    // tests/test_api_aggregations.py of lm-evaluation-harness: f1 and matthews_corrcoef.
    [Fact]
    public void Values_AgreeWithTheHarness()
    {
        Assert.Equal(2 / 3.0, Of([1, 0, 0, 0], [1, 1, 0, 0]).PerLabel.Single(l => l.Label == "1").F1, 1e-15);
        Assert.Equal((1.0, -1.0), (Of([1, 0, 1, 0], [1, 0, 1, 0]).Mcc, Of([1, 0, 1, 0], [0, 1, 0, 1]).Mcc));
    }

    [Fact]
    public void AnAnswerThatIsNoLabel_IsWrongAndNoClass()
    {
        var matrix = ConfusionMatrix.Of([("a", "a"), ("a", ConfusionMatrix.NoLabel), ("b", "b"), ("b", "a")]);

        Assert.Equal(["a", "b"], matrix.Labels);
        Assert.Equal((0.5, 1), (matrix.Accuracy, matrix[0, 2]));
        Assert.Equal([0.5, 2 / 3.0], matrix.PerLabel.Select(l => l.F1), (x, y) => Math.Abs(x - y) < 1e-12);
        Assert.Equal(4 / 7.0, matrix.MicroF1, 1e-12); // 2·2 / (4 rows + 3 labels given)
        Assert.Equal(0, ConfusionMatrix.Of([("a", "a"), ("a", "a")]).Mcc);
        Assert.Throws<ArgumentException>(() => ConfusionMatrix.Of([]));
    }

    [Fact]
    public void CalibrationError_IsTheWeightedGap()
    {
        // Bin (0.8, 0.8667]: two rows at 0.85, one right: gap 0.35. Bin (0.2, 0.2667]: one at 0.25, wrong: gap 0.25.
        (double, bool)[] rows = [(0.85, true), (0.85, false), (0.25, false)];

        Assert.Equal((2 * 0.35 + 0.25) / 3, Calibration.ExpectedError(rows)!.Value, 1e-12);
        Assert.Equal(0.35, Calibration.MaximumError(rows)!.Value, 1e-12);
        Assert.Equal(15, Calibration.Reliability(rows).Count);
        Assert.Null(Calibration.ExpectedError([]));
        Assert.Equal([2, 1], Calibration.Reliability([(0, true), (0.5, true), (1, true)], 2).Select(b => b.Count)); // 0.5 belongs to (0, 0.5]
        Assert.Throws<ArgumentException>(() => Calibration.ExpectedError([(double.NaN, true)]));
    }

    [Fact]
    public void Temperature_FindsHowMuchTooSureAModelIs()
    {
        // Labels are drawn from the softmax of l, and the model says 2.5·l: the temperature that undoes it is 2.5.
        var random = new Random(7);
        var logits = new List<double[]>();
        var right = new List<int>();
        for (var i = 0; i < 20_000; i++)
        {
            double[] l = [2 * random.NextDouble(), 2 * random.NextDouble(), 2 * random.NextDouble()];
            var p = TemperatureScaling.Probabilities(l, 1);
            var u = random.NextDouble();
            right.Add(u < p[0] ? 0 : u < p[0] + p[1] ? 1 : 2);
            logits.Add(Array.ConvertAll(l, x => 2.5 * x));
        }

        var fit = TemperatureScaling.Fit(logits, right);

        Assert.InRange(fit.Temperature, 2.3, 2.7);
        Assert.True(fit.After < fit.Before);
        Assert.Throws<ArgumentException>(() => TemperatureScaling.Fit([[1, 2]], [2]));
    }

    [Fact]
    public void Statistics_AddUp()
    {
        (string Expected, string Given, double Confidence)[] rows = [("a", "a", 0.9), ("a", "b", 0.4), ("b", "?", 0.2), ("b", "b", 0.95), ("a", "b", 0.91)];
        double[] Sum(Func<(string Expected, string Given, double Confidence), double[]> of) => rows.Select(of).Aggregate((x, y) => [.. x.Zip(y, (p, q) => p + q)]);

        var whole = ConfusionMatrix.Of(rows.Select(r => (r.Expected, r.Given == "?" ? ConfusionMatrix.NoLabel : r.Given)));
        var summed = ConfusionMatrix.FromStatistics(["a", "b", "never"], Sum(r => ConfusionMatrix.RowStatistics(["a", "b", "never"], r.Expected, r.Given)));

        Assert.Equal((whole.Accuracy, whole.MacroF1, whole.MicroF1, whole.Mcc), (summed.Accuracy, summed.MacroF1, summed.MicroF1, summed.Mcc));
        Assert.Equal(Calibration.ExpectedError([.. rows.Select(r => (r.Confidence, r.Expected == r.Given))])!.Value,
            Calibration.ExpectedError(Sum(r => Calibration.RowStatistics(r.Confidence, r.Expected == r.Given)))!.Value, 1e-12);
        Assert.Throws<ArgumentException>(() => ConfusionMatrix.RowStatistics(["a"], "b", "a"));
        Assert.Throws<ArgumentException>(() => ConfusionMatrix.FromStatistics(["a"], [1]));
    }

    private static string Text(double value) => value.ToString("F2", System.Globalization.CultureInfo.InvariantCulture);
}

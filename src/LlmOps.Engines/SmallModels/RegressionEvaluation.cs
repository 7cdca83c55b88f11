using System.Globalization;
using LlmOps.Engines.Pictures;

namespace LlmOps.Engines.SmallModels;

/// <summary>R² and RMSE of predicted numbers, with a picture of prediction against truth.</summary>
internal static class RegressionEvaluation
{
    /// <param name="samples">Each with a number as its target.</param>
    /// <param name="predictions">One for each sample.</param>
    public static SmallModelScores Score(IReadOnlyList<Sample> samples, IReadOnlyList<double> predictions)
    {
        var rows = new List<SampleScore>();
        double[] targets = [.. samples.Select(s => s.Number)];
        for (var i = 0; i < targets.Length; i++)
        {
            var (y, error) = (targets[i], predictions[i] - targets[i]);
            // Σ e², n, Σ y and Σ y² give both metrics for any choice of rows.
            double[] statistics = [error * error, 1, y, y * y];
            var (expected, answer) = (y.ToString("0.####", CultureInfo.InvariantCulture), predictions[i].ToString("0.####", CultureInfo.InvariantCulture));
            rows.Add(new(i, SmallModelMetrics.RSquared, error * error, statistics, expected, answer));
            rows.Add(new(i, SmallModelMetrics.Residuals, error * error, statistics, expected, answer));
        }
        return new(rows, [Scatter(targets, predictions)]);
    }

    private static Picture Scatter(IReadOnlyList<double> targets, IReadOnlyList<double> predictions)
    {
        const int side = 400, margin = 24;
        var all = targets.Concat(predictions).Where(double.IsFinite).ToList();
        var (low, high) = (all.Min(), all.Max());
        var span = high > low ? high - low : 1;
        double At(double value) => margin + (value - low) / span * (side - 2 * margin);
        var picture = new Raster(side, side);
        picture.Line(margin, side - margin, side - margin, side - margin, Rgb.Grey(150));
        picture.Line(margin, margin, margin, side - margin, Rgb.Grey(150));
        picture.Line(At(low), side - At(low), At(high), side - At(high), Rgb.Series[3]);
        for (var i = 0; i < targets.Count; i++)
            picture.Disc(At(targets[i]), side - At(predictions[i]), 2, Rgb.Series[0]);
        picture.Text(margin, side - 16, low.ToString("0.##", CultureInfo.InvariantCulture), Rgb.Grey(60));
        picture.Text(side - 2 * margin - 8, side - 16, high.ToString("0.##", CultureInfo.InvariantCulture), Rgb.Grey(60));
        return new("Prediction (up) against truth (right); on the line both are equal", picture.ToPng());
    }
}

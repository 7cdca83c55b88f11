using System.Globalization;
using System.Text;

namespace LlmOps.Engines.SmallModels;

/// <summary>Rows of numbers to try classical models on. The same options give the same rows.</summary>
/// <param name="Noise">Standard deviation of the noise.</param>
/// <param name="Seed">Of everything random.</param>
public sealed record TableRows(double Noise = 0.2, int Seed = 7)
{
    /// <summary>Features of a row of <see cref="Plane"/>.</summary>
    public const int PlaneFeatures = 4;

    /// <summary>What <see cref="Plane"/> is made with: the weights of its features, and a constant.</summary>
    public static IReadOnlyList<double> PlaneWeights { get; } = [2, -1.5, 0.5, 0];

    /// <summary>The constant of <see cref="Plane"/>.</summary>
    public const double PlaneConstant = 3;

    /// <summary>Two half circles that reach into each other, labels "upper" and "lower": no straight line separates them.</summary>
    public string TwoMoons(int count) => Rows(count, (random, i) =>
    {
        var angle = Math.PI * random.NextDouble();
        var (x, y) = i % 2 == 0 ? (Math.Cos(angle), Math.Sin(angle)) : (1 - Math.Cos(angle), 0.5 - Math.Sin(angle));
        return ([x + Noise * Gaussian(random), y + Noise * Gaussian(random)], i % 2 == 0 ? "\"upper\"" : "\"lower\"");
    });

    /// <summary>Four features from N(0, 1) and a target that is <see cref="PlaneWeights"/> · features + <see cref="PlaneConstant"/> and noise.</summary>
    public string Plane(int count) => Rows(count, (random, _) =>
    {
        double[] features = [.. Enumerable.Range(0, PlaneFeatures).Select(_ => Gaussian(random))];
        return (features, Number(PlaneConstant + features.Zip(PlaneWeights, (f, w) => f * w).Sum() + Noise * Gaussian(random)));
    });

    private string Rows(int count, Func<Random, int, (double[] Features, string Target)> row)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(Noise);
        var (random, text) = (new Random(Seed), new StringBuilder());
        for (var i = 0; i < count; i++)
        {
            var (features, target) = row(random, i);
            text.Append("{\"features\":[").AppendJoin(',', features.Select(Number)).Append("],\"target\":").Append(target).Append("}\n");
        }
        return text.ToString();
    }

    private static string Number(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    private static double Gaussian(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}

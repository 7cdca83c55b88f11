using System.Globalization;
using LlmOps.Lifecycle.Sweeps.Search;

namespace LlmOps.Lifecycle.Tests.Sweeps;

public sealed class ParzenSearchTests
{
    private static readonly SearchSpace Plane = new([new FloatDimension("x", -5, 10), new FloatDimension("y", 0, 15)]);
    private static readonly SearchSpace Training = new([new LogDimension("learning_rate", 1e-6, 1e-1), new ChoiceDimension("optimizer", ["sgd", "adam", "lion", "rmsprop"]), new IntDimension("layers", 1, 12)]);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>Branin's function; its three minima are 0.397887.</summary>
    private static double Branin(IReadOnlyList<string> point)
    {
        var (x, y) = (Number(point[0]), Number(point[1]));
        return Math.Pow(y - 5.1 / (4 * Math.PI * Math.PI) * x * x + 5 / Math.PI * x - 6, 2) + 10 * (1 - 1 / (8 * Math.PI)) * Math.Cos(x) + 10;
    }

    /// <summary>Best at a learning rate of 1e-3, with adam, at 8 layers: there 0.</summary>
    private static double Loss(IReadOnlyList<string> point) =>
        Math.Pow(Math.Log10(Number(point[0])) + 3, 2) + (point[1] == "adam" ? 0 : point[1] == "lion" ? 0.5 : 2) + Math.Pow((Number(point[2]) - 8) / 4, 2);

    private static double BestOf(SearchSpace space, Func<IReadOnlyList<string>, double> value, int seed, int trials, bool tpe)
    {
        var history = new List<Observation>();
        for (var i = 0; i < trials; i++)
        {
            var point = tpe ? ParzenSearch.Suggest(space, history, true, seed, i, new()) : RandomSearch.Draw(space, [.. history.Select(h => h.Point)], seed, i);
            history.Add(new(point, value(point)));
        }
        return history.Min(h => h.Value!.Value);
    }

    [Fact]
    public void Branin_IsBranin()
    {
        Assert.Equal(0.397887, Branin(["3.14159", "2.275"]), 4);
        Assert.Equal(0.397887, Branin(["-3.14159", "12.275"]), 4);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Suggest_BeatsRandomSearch_OnTheAverageOf50Seeds(bool plane)
    {
        var (space, value) = plane ? (Plane, (Func<IReadOnlyList<string>, double>)Branin) : (Training, Loss);
        var pairs = Enumerable.Range(0, 50).Select(seed => (Tpe: BestOf(space, value, seed, 60, true), Random: BestOf(space, value, seed, 60, false))).ToList();
        var differences = pairs.Select(p => p.Random - p.Tpe).ToList();
        var mean = differences.Average();
        var error = Math.Sqrt(differences.Sum(d => (d - mean) * (d - mean)) / 49 / 50);
        Assert.True(mean > 3 * error, $"TPE {pairs.Average(p => p.Tpe):0.000}, random {pairs.Average(p => p.Random):0.000}, difference {mean:0.000} ± {error:0.000}");
    }

    [Fact]
    public void Suggest_IsAPureFunction_OfSeedAndHistory()
    {
        var history = Enumerable.Range(0, 20).Select(i => RandomSearch.Draw(Training, [], 5, i)).Select(p => new Observation(p, Loss(p))).ToList();
        var first = ParzenSearch.Suggest(Training, history, true, 9, 20, new());
        Assert.Equal(first, ParzenSearch.Suggest(Training, [.. history], true, 9, 20, new()));
        Assert.NotEqual(first, ParzenSearch.Suggest(Training, history, true, 10, 20, new()));
    }

    [Fact]
    public void Suggest_GoesTheOtherWay_WhenTheMetricIsMaximised()
    {
        var space = new SearchSpace([new FloatDimension("x", 0, 1)]);
        List<Observation> history = [.. Enumerable.Range(0, 40).Select(i => new Observation([SearchDimensionText(i / 39.0)], i / 39.0))];
        double Mean(bool minimise) => Enumerable.Range(0, 60).Average(t => Number(ParzenSearch.Suggest(space, history, minimise, 1, t, new())[0]));
        Assert.InRange(Mean(minimise: true), 0, 0.25);
        Assert.InRange(Mean(minimise: false), 0.75, 1);
    }

    [Fact]
    public void Suggest_KeepsAway_FromWhatFailedAndFromWhatStillRuns()
    {
        var space = new SearchSpace([new ChoiceDimension("optimizer", ["sgd", "adam", "lion"]), new FloatDimension("x", 0, 1)]);
        List<Observation> history = [];
        for (var i = 0; i < 10; i++)
        {
            history.Add(new(["sgd", SearchDimensionText(i / 10.0)], null));
            history.Add(new(["adam", SearchDimensionText(i / 10.0 + 0.05)], 1 - i / 10.0));
            history.Add(new(["lion", SearchDimensionText(i / 10.0 + 0.02)], double.NaN));
        }
        var chosen = Enumerable.Range(0, 50).Select(t => ParzenSearch.Suggest(space, history, true, 1, t, new())[0]).ToList();
        Assert.True(chosen.Count(c => c == "adam") >= 48, string.Join(' ', chosen));
    }

    [Fact]
    public void Suggest_DoesNotRepeatAPoint_AndFillsASmallSpace()
    {
        var space = new SearchSpace([new ChoiceDimension("optimizer", ["sgd", "adam"]), new IntDimension("layers", 1, 10)]);
        var history = new List<Observation>();
        for (var i = 0; i < 20; i++)
            history.Add(new(ParzenSearch.Suggest(space, history, true, 3, i, new(5)), i));
        Assert.Equal(20, history.Select(h => string.Join(' ', h.Point)).Distinct().Count());
    }

    private static string SearchDimensionText(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}

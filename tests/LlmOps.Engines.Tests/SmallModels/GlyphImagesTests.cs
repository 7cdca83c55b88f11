using LlmOps.Engines.SmallModels;

namespace LlmOps.Engines.Tests.SmallModels;

public sealed class GlyphImagesTests
{
    [Fact]
    public void Images_AreAFunctionOfSeedAndIndex_AndBalanced()
    {
        var images = GlyphImages.Make(100, seed: 5);

        Assert.Equal(images.Take(30).Select(i => Convert.ToHexString(i.Pixels)), GlyphImages.Make(30, seed: 5).Select(i => Convert.ToHexString(i.Pixels)));
        Assert.All(images.CountBy(i => i.Label), label => Assert.Equal(10, label.Value));
        Assert.Equal(100, images.Select(i => Convert.ToHexString(i.Pixels)).Distinct().Count());
        Assert.NotEqual(images[0].Pixels, GlyphImages.Make(1, seed: 6)[0].Pixels);
    }

    [Fact]
    public void NearestMeanOfTheTrainingImages_TellsMostDigitsApart()
    {
        var train = GlyphImages.Make(1000, seed: 1);
        var means = GlyphImages.Labels.ToDictionary(l => l, l => train.Where(i => i.Label == l).Select(i => i.ToFloats()).Aggregate(new float[256], (a, b) => [.. a.Zip(b, (x, y) => x + y / 100)]));

        double correct = GlyphImages.Make(500, seed: 2).Average(image =>
            means.MinBy(m => m.Value.Zip(image.ToFloats(), (a, b) => (a - b) * (a - b)).Sum()).Key == image.Label ? 1.0 : 0);

        // Neither noise (0.1) nor ten fixed pictures (1.0).
        Assert.InRange(correct, 0.6, 0.99);
    }

    [Fact]
    public void CounterRandom_IsNormal_AndEachCounterCounts()
    {
        var values = new float[20_000];
        new CounterRandom(1, 2, 3).Gaussian(values);

        Assert.InRange(values.Average(), -0.03, 0.03);
        Assert.InRange(values.Average(v => v * v), 0.97, 1.03);
        Assert.Equal(8, new[] { (1, 2, 3), (2, 1, 3), (1, 3, 2), (3, 2, 1), (1, 2, 4), (1, 3, 3), (2, 2, 3), (-1, 2, 3) }
            .Select(c => new CounterRandom(c.Item1, c.Item2, c.Item3).NextGaussian()).Distinct().Count());
    }
}

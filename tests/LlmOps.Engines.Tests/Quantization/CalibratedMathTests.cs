using LlmOps.Engines.Quantization;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class CalibratedMathTests
{
    private static readonly BlockRounding FourBits = new(4, 32, Symmetric: false);

    [Theory, InlineData(16, 64), InlineData(11, 50), InlineData(1, 33), InlineData(8, 96)]
    public void SquaredOutput_EqualsTheNormOfTheProduct(int rows, int width)
    {
        float[] d = LanguageLikeModel.Gaussian(rows * width, 1), x = LanguageLikeModel.Gaussian(70 * width, 2);
        var expected = 0.0;
        for (var n = 0; n < 70; n++)
            for (var row = 0; row < rows; row++)
            {
                var dot = Enumerable.Range(0, width).Sum(k => (double)x[n * width + k] * d[row * width + k]);
                expected += dot * dot;
            }

        Assert.Equal(expected, GramMath.SquaredOutput(d, width, Gram(x, width)), 1e-5 * expected);
    }

    [Theory, InlineData(1), InlineData(40), InlineData(150)]
    public void InverseFactor_IsTheCholeskyFactorOfTheDampedInverse(int width)
    {
        var gram = Gram(LanguageLikeModel.Gaussian(400 * width, 3), width);

        var u = InverseFactor.Of(gram, width, 0.01);

        var damping = 0.01 * Enumerable.Range(0, width).Average(i => gram[i * width + i]);
        // U is upper, and UᵀU H = 1: with z = Hv, UᵀUz has to give v back.
        for (var i = 0; i < width; i++)
            Assert.All(u[(i * width)..(i * width + i)], below => Assert.Equal(0, below));
        double[] v = [.. LanguageLikeModel.Gaussian(width, 4).Select(x => (double)x)];
        double[] z = [.. Enumerable.Range(0, width).Select(i => Enumerable.Range(0, width).Sum(j => (gram[i * width + j] + (i == j ? damping : 0)) * v[j]))];
        double[] uz = [.. Enumerable.Range(0, width).Select(i => Enumerable.Range(i, width - i).Sum(j => u[i * width + j] * z[j]))];
        for (var j = 0; j < width; j++)
            Assert.Equal(v[j], Enumerable.Range(0, j + 1).Sum(i => u[i * width + j] * uz[i]), 1e-4);
    }

    [Fact]
    public void Gptq_LeavesLessThanHalfOfTheOutputErrorOfPlainRounding_OnCorrelatedInputs()
    {
        const int width = 128, rows = 64;
        var (fitted, heldOut) = (Gram(Correlated(2048, width, 11), width), Gram(Correlated(1024, width, 12), width));
        var weights = LanguageLikeModel.Gaussian(rows * width, 13);

        var plain = Error(weights, BlockPacking.Pack(weights, rows, width, FourBits), width, heldOut);
        var gptq = Error(weights, GptqRounding.Pack(weights, width, InverseFactor.Of(fitted, width, 0.01), FourBits), width, heldOut);

        TestContext.Current.TestOutputHelper?.WriteLine($"relative output error: rounding {plain:g3}, GPTQ {gptq:g3}");
        Assert.InRange(gptq, 0, plain / 2);
    }

    [Fact]
    public void Gptq_IsPlainRounding_WhenInputsHaveNothingToDoWithEachOther()
    {
        var weights = LanguageLikeModel.Gaussian(8 * 80, 14);
        var identity = new float[80 * 80];
        for (var i = 0; i < 80; i++)
            identity[i * 80 + i] = i == 7 ? 0 : 5; // one input that never was anything but 0

        var gptq = GptqRounding.Pack(weights, 80, InverseFactor.Of(identity, 80, 0.01), FourBits);
        var plain = BlockPacking.Pack(weights, 8, 80, FourBits);

        Assert.Equal(plain.Values, gptq.Values);
        Assert.Equal(plain.Scales, gptq.Scales);
    }

    // A clipped weight is cheap where the input is small.
    [Fact]
    public void Pack_LosesLessOfTheOutput_WhenTheSearchKnowsTheInputs()
    {
        const int width = 128, rows = 64;
        var x = LanguageLikeModel.Gaussian(1024 * width, 17);
        for (var i = 0; i < x.Length; i++)
            x[i] *= i % width % 8 == 3 ? 8 : 1;
        var gram = Gram(x, width);
        var weights = LanguageLikeModel.Gaussian(rows * width, 18);
        var rounding = FourBits with { Search = ScaleSearch.Refit };
        float[] squares = [.. Enumerable.Range(0, width).Select(i => gram[i * width + i])];

        var blind = Error(weights, BlockPacking.Pack(weights, rows, width, rounding), width, gram);
        var informed = Error(weights, BlockPacking.Pack(weights, rows, width, rounding, importance: squares), width, gram);

        TestContext.Current.TestOutputHelper?.WriteLine($"relative output error: blind {blind:g3}, informed {informed:g3}");
        Assert.InRange(informed, 0, 0.8 * blind);
    }

    [Fact]
    public void Awq_LeavesLessThanHalfOfTheSquaredOutputError_WithOutlierChannels()
    {
        const int width = 128, rows = 64;
        var x = LanguageLikeModel.Gaussian(1024 * width, 15);
        for (var i = 0; i < x.Length; i++)
            x[i] *= i % width % 40 == 3 ? 20 : 1;
        var statistics = new ChannelStatistics("x", width);
        float[] abs = new float[width], squares = new float[width], max = new float[width];
        for (var i = 0; i < x.Length; i++)
            (abs[i % width], squares[i % width], max[i % width]) = (abs[i % width] + Math.Abs(x[i]), squares[i % width] + x[i] * x[i], Math.Max(max[i % width], Math.Abs(x[i])));
        statistics.Add(1024, abs, squares, max, Gram(x, width));
        var weights = LanguageLikeModel.Gaussian(rows * width, 16);

        var found = AwqScales.Search([weights], statistics, [FourBits], default);

        Assert.NotNull(found);
        var ones = Enumerable.Repeat(1f, width).ToArray();
        double plain = AwqScales.OutputError(weights, width, ones, FourBits, statistics.Gram!), awq = AwqScales.OutputError(weights, width, found.Value.Scales, FourBits, statistics.Gram!);
        TestContext.Current.TestOutputHelper?.WriteLine($"α {found.Value.Alpha}, squared error {awq / plain:p1} of plain rounding");
        Assert.InRange(awq / plain, 0, 0.45);
        Assert.Null(AwqScales.Search([weights], Uniform(width), [FourBits], default)); // nothing to win: plain rounding stays
    }

    private static ChannelStatistics Uniform(int width)
    {
        var statistics = new ChannelStatistics("x", width);
        var ones = Enumerable.Repeat(1f, width).ToArray();
        var identity = new float[width * width];
        for (var i = 0; i < width; i++)
            identity[i * width + i] = 1;
        statistics.Add(1, ones, ones, ones, identity);
        return statistics;
    }

    private static double Error(float[] weights, PackedBlocks packed, int width, float[] gram)
    {
        var difference = BlockPacking.Unpack(packed, FourBits, width);
        for (var i = 0; i < difference.Length; i++)
            difference[i] -= weights[i];
        return Math.Sqrt(GramMath.SquaredOutput(difference, width, gram) / GramMath.SquaredOutput(weights, width, gram));
    }

    private static float[] Correlated(int rows, int width, int seed)
    {
        const int rank = 16;
        float[] basis = LanguageLikeModel.Gaussian(rank * width, 99), mix = LanguageLikeModel.Gaussian(rows * rank, seed), noise = LanguageLikeModel.Gaussian(rows * width, seed + 100);
        return [.. Enumerable.Range(0, rows * width).Select(i => 0.1f * noise[i] + Enumerable.Range(0, rank).Sum(r => mix[i / width * rank + r] * basis[r * width + i % width]))];
    }

    private static float[] Gram(float[] x, int width)
    {
        var gram = new double[width * width];
        for (var n = 0; n < x.Length; n += width)
            for (var i = 0; i < width; i++)
                for (var j = 0; j < width; j++)
                    gram[i * width + j] += (double)x[n + i] * x[n + j];
        return [.. gram.Select(g => (float)g)];
    }
}

using LlmOps.Engines.Quantization;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class BlockRoundingTests
{
    public static TheoryData<int, int, bool, int, int> Shapes => new()
    {
        { 4, 32, false, 70, 96 }, { 4, 32, true, 70, 96 }, { 4, 16, false, 3, 40 }, { 8, 32, false, 65, 50 }, { 8, 128, true, 5, 200 }, { 2, 16, false, 129, 33 }, { 2, 64, true, 1, 7 }, { 4, 256, false, 2, 256 },
    };

    // The published rule, value by value; the vectorised form has to give the same bytes.
    [Theory, MemberData(nameof(Shapes))]
    public void Pack_EqualsTheRuleAppliedValueByValue(int bits, int block, bool symmetric, int rows, int width)
    {
        var weights = Gaussian(rows * width, seed: bits + block);
        weights.AsSpan(0, Math.Min(block, width)).Clear(); // a block of zeros
        int blocks = (width + block - 1) / block, blob = block * bits / 8, top = (1 << bits) - 1, middle = 1 << (bits - 1);
        byte[] values = new byte[rows * blocks * blob], zeros = new byte[rows * blocks];
        var scales = new float[rows * blocks];
        for (var at = 0; at < scales.Length; at++)
        {
            var part = weights.AsSpan(at / blocks * width).Slice(at % blocks * block, Math.Min(block, width - at % blocks * block)).ToArray();
            float low = Math.Min(0, part.Min()), high = Math.Max(0, part.Max());
            var scale = scales[at] = symmetric ? (high > -low ? high : low) / -middle : (high - low) / top;
            var zero = zeros[at] = (byte)(symmetric || scale == 0 ? middle : Math.Clamp((int)MathF.Round(-low / scale), 0, top));
            for (var i = 0; i < block; i++)
            {
                var q = i < part.Length && scale != 0 ? Math.Clamp((int)MathF.Round(part[i] / scale) + zero, 0, top) : zero;
                values[at * blob + i * bits / 8] |= (byte)(q << (i * bits % 8));
            }
        }

        var packed = BlockPacking.Pack(weights, rows, width, new(bits, block, symmetric));
        var fromColumns = PackColumns(weights, rows, width, new BlockRounding(bits, block, symmetric));

        foreach (var actual in new[] { packed, fromColumns })
        {
            Assert.Equal(values, actual.Values);
            Assert.Equal(scales, actual.Scales);
            Assert.Equal(symmetric ? null : zeros, actual.ZeroPoints);
        }
    }

    [Theory, InlineData(4, false), InlineData(4, true), InlineData(2, false), InlineData(8, false)]
    public void Search_LosesLessThanTheFullRange_OnWeightsWithLongTails(int bits, bool symmetric)
    {
        var weights = Gaussian(256 * 128, seed: 3);
        for (var i = 0; i < weights.Length; i += 41)
            weights[i] *= 3;
        double Loss(ScaleSearch search) => SquaredError(weights, new BlockRounding(bits, 128, symmetric, search));

        double plain = Loss(ScaleSearch.MinMax), clip = Loss(ScaleSearch.Clip), refit = Loss(ScaleSearch.Refit);

        TestContext.Current.TestOutputHelper?.WriteLine($"{bits} bits, symmetric {symmetric}: squared error {plain:g4}, clip {clip / plain:p1}, refit {refit / plain:p1}");
        Assert.InRange(clip / plain, 0.01, bits == 8 ? 1 : 0.97);
        Assert.InRange(refit / clip, 0.01, 0.999);
    }

    // Where a weight counts more, it is kept better.
    [Fact]
    public void Fit_FollowsTheImportanceOfWeights()
    {
        var rounding = new BlockRounding(4, 32, Symmetric: false, ScaleSearch.Clip);
        var weights = Gaussian(32, seed: 8);
        weights[5] = 8;
        float[] outlier = [.. Enumerable.Repeat(1f, 32)], others = [.. Enumerable.Repeat(1f, 32)];
        (outlier[5], others[5]) = (1000, 0);

        double ErrorOf5(float[] importance)
        {
            var (scale, zero) = rounding.Fit(weights, importance);
            return Math.Abs(rounding.Restore(weights[5], scale, zero) - weights[5]);
        }

        Assert.True(ErrorOf5(outlier) < ErrorOf5(others) / 2);
    }

    [Theory, InlineData(float.NaN), InlineData(float.PositiveInfinity)]
    public void Pack_RefusesWeightsThatAreNotFinite(float bad)
    {
        var weights = Gaussian(4 * 64, seed: 1);
        weights[2 * 64 + 40] = bad;

        var error = Assert.Throws<InvalidModelException>(() => BlockPacking.Pack(weights, 4, 64, new(4, 32, Symmetric: false)));

        Assert.Contains("Row 2", error.Message, StringComparison.Ordinal);
    }

    private static PackedBlocks PackColumns(float[] weights, int rows, int width, BlockRounding rounding)
    {
        var columns = new float[weights.Length];
        for (var i = 0; i < weights.Length; i++)
            columns[i % width * rows + i / width] = weights[i];
        return BlockPacking.Pack(columns, rows, width, rounding, transposed: true);
    }

    private static double SquaredError(float[] weights, BlockRounding rounding)
    {
        var restored = new float[rounding.Block];
        var sum = 0.0;
        foreach (var part in weights.Chunk(rounding.Block))
        {
            var (scale, zero) = rounding.Fit(part);
            rounding.Restore(part, scale, zero, restored);
            sum += part.Zip(restored, (a, b) => (double)(a - b) * (a - b)).Sum();
        }
        return sum;
    }

    private static float[] Gaussian(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }
}

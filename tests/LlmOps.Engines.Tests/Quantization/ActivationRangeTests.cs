using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class ActivationRangeTests
{
    private static float[] Normal(int count, double deviation = 1, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }

    [Fact]
    public void MinMax_TakesTheExtremes_OrTheirMovingAverage()
    {
        ActivationRange Range(bool average) => new(CalibrationMethod.MinMax, average, 99.999, false, 2048);
        ActivationRange plain = Range(false), moving = Range(true);
        foreach (var range in new[] { plain, moving })
        {
            range.Add([-1, float.NaN, 2]);
            range.Add([-3, 10, float.PositiveInfinity]);
        }

        Assert.Equal((-3, 10), plain.Find());
        Assert.Equal(-1 + 0.01 * (-3 + 1), moving.Find().Low, 9);
        Assert.Equal(2 + 0.01 * (10 - 2), moving.Find().High, 9);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Percentile_CutsTheShareThatIsAsked_WhateverTheOrderOfRanges(bool growing)
    {
        var values = Normal(200_000);
        var range = new ActivationRange(CalibrationMethod.Percentile, false, 99, false, 2048);
        if (growing)
            Array.Sort(values, (a, b) => Math.Abs(a).CompareTo(Math.Abs(b))); // every part reaches further than the one before
        foreach (var part in values.Chunk(1000))
            range.Add(part);
        var (low, high) = range.Find();

        // 0.5 % on each side of a normal distribution: 2.576 deviations. A first range of almost nothing makes wider bins.
        Assert.Equal(-2.576, low, growing ? 0.1 : 0.03);
        Assert.Equal(2.576, high, growing ? 0.1 : 0.03);
    }

    [Fact]
    public void Percentile_MirrorsItsRange_WhenSymmetric()
    {
        var range = new ActivationRange(CalibrationMethod.Percentile, false, 95, true, 2048);
        range.Add([.. Enumerable.Range(0, 1000).Select(i => i / 1000f), -0.5f]);
        var (low, high) = range.Find();

        Assert.Equal(-low, high);
        Assert.Equal(0.95, high, 0.01);
    }

    [Fact]
    public void Entropy_CutsRareOutliersOff_AndKeepsAnEvenRange()
    {
        ActivationRange Range(float[] values)
        {
            var range = new ActivationRange(CalibrationMethod.Entropy, false, 99.999, false, 128);
            foreach (var part in values.Chunk(5000))
                range.Add(part);
            return range;
        }
        float[] even = [.. Enumerable.Range(0, 50_000).Select(i => (float)(i % 1000) / 500 - 1)];

        var outliers = Range([.. Normal(50_000), 60f]).Find();
        var uniform = Range(even).Find();

        Assert.InRange(outliers.High, 2, 30);
        Assert.InRange(uniform.High, 0.95, 1);
    }

    [Fact]
    public void Scale_FollowsTheRulesOfTheRuntimesQuantizer()
    {
        Assert.Equal((2f / 255, 0), Linear8.Of((0.5, 2), 0, 255)); // zero is inside
        Assert.Equal((4f / 255, 64), Linear8.Of((-1, 3), 0, 255));
        Assert.Equal((4f / 255, -64), Linear8.Of((-1, 3), -128, 127));
        Assert.Equal((1f, 0), Linear8.Of((0, 0), 0, 255));
        var packed = ChannelInt8.Of([1, -2, 0.5f, 4, 0, 0], [3, 2], 0, 127);
        Assert.Equal([2f / 127, 4f / 127, 1f], packed.Scales);
        Assert.Equal([64, -127, 16, 127, 0, 0], packed.Values.Select(v => (int)v));
        Assert.Equal([1f / 127, 4f / 127], ChannelInt8.Of([1, -2, 0.5f, 4, 0, 0], [3, 2], 1, 127).Scales);
    }

    [Fact]
    public void HalfFloats_ClampAsTheRuntimesConverterDoes()
    {
        var target = new ushort[6];
        Assert.Equal(1, HalfFloats.ToHalf([0, 1e-9f, -1e6f, float.NegativeInfinity, float.NaN, 1.5f], target));

        var back = target.Select(h => (float)BitConverter.UInt16BitsToHalf(h)).ToArray();
        Assert.Equal([0, 5.9604645e-8f, -65504, float.NegativeInfinity, float.NaN, 1.5f], back);
        Assert.Equal(1.0078125f, HalfFloats.FromBFloat16(HalfFloats.ToBFloat16(1.0079f))); // 8 bits of precision
        Assert.True(float.IsNaN(HalfFloats.FromBFloat16(HalfFloats.ToBFloat16(float.NaN))));
    }

    [Fact]
    public void CalibrationData_HasAHashOfItsValues()
    {
        static CalibrationData Data(float last) => new([[NamedTensor.Of("x", [1f, last], 2)]]);

        Assert.Equal(Data(2).Sha256(), Data(2).Sha256());
        Assert.NotEqual(Data(2).Sha256(), Data(3).Sha256());
        Assert.Matches("^[0-9a-f]{64}$", Data(2).Sha256());
    }
}

using BenchmarkDotNet.Attributes;
using LlmOps.Engines.Quantization;

namespace LlmOps.Benchmarks;

/// <summary>Rounding a matrix of 64 MB, [4096 inputs, 4096 outputs] as a MatMul holds it, to blocks of 32. 64 MB over the mean time is the speed.</summary>
[MemoryDiagnoser]
public class QuantizationBenchmarks
{
    private const int Size = 4096, Block = 32;
    private readonly float[] weights = new float[Size * Size];

    [Params(4, 8)]
    public int Bits { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        var random = new Random(1);
        for (var i = 0; i < weights.Length; i++)
            weights[i] = (float)(random.NextDouble() - random.NextDouble());
    }

    /// <summary>What the pass did before it was vectorised: a whole transposed copy, then value by value.</summary>
    [Benchmark(Baseline = true)]
    public int Scalar()
    {
        var rows = new float[weights.Length];
        for (var r0 = 0; r0 < Size; r0 += 64)
            for (var c0 = 0; c0 < Size; c0 += 64)
                for (var c = c0; c < c0 + 64; c++)
                    for (var r = r0; r < r0 + 64; r++)
                        rows[c * Size + r] = weights[r * Size + c];
        var values = new byte[weights.Length * Bits / 8];
        float[] scales = new float[weights.Length / Block];
        var zeros = new byte[scales.Length];
        int top = (1 << Bits) - 1, blob = Block * Bits / 8;
        Parallel.For(0, Size, row =>
        {
            for (var at = row * (Size / Block); at < (row + 1) * (Size / Block); at++)
            {
                var part = rows.AsSpan(at * Block, Block);
                float low = 0, high = 0;
                foreach (var w in part)
                    (low, high) = (Math.Min(low, w), Math.Max(high, w));
                var scale = (high - low) / top;
                var zero = scale == 0 ? 1 << (Bits - 1) : Math.Clamp((int)MathF.Round(-low / scale), 0, top);
                (scales[at], zeros[at]) = (scale, (byte)zero);
                for (var i = 0; i < Block; i++)
                {
                    var q = scale != 0 ? Math.Clamp((int)MathF.Round(part[i] / scale) + zero, 0, top) : zero;
                    values[at * blob + i * Bits / 8] |= (byte)(q << (i * Bits % 8));
                }
            }
        });
        return values.Length;
    }

    [Benchmark]
    public int MinMax() => Pack(ScaleSearch.MinMax);

    [Benchmark]
    public int Clip() => Pack(ScaleSearch.Clip);

    [Benchmark]
    public int Refit() => Pack(ScaleSearch.Refit);

    private int Pack(ScaleSearch search) => BlockPacking.Pack(weights, Size, Size, new BlockRounding(Bits, Block, Symmetric: false, search), transposed: true).Values.Length;
}

using System.Numerics.Tensors;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Reference;

/// <summary>The operations of a decoder as the formulas have them; sums run in double precision over pieces of single precision.</summary>
internal sealed class ReferenceMath(CheckpointWeights weights)
{
    private const int Piece = 512, BlockRows = 16;

    /// <summary>x [rows, inputs] times Wᵀ [inputs, outputs] plus bias; W is read from the checkpoint row by row.</summary>
    public float[] Linear(float[] x, int inputs, string weight, string? bias = null)
    {
        int rows = x.Length / inputs, outputs = (int)weights.Tensors[weight].Shape[0];
        var y = new float[(long)rows * outputs];
        var b = bias is null ? null : weights.ReadFloat32(bias);
        Parallel.For(0, (outputs + BlockRows - 1) / BlockRows, () => new float[inputs], (block, _, w) =>
        {
            for (var o = block * BlockRows; o < Math.Min(outputs, (block + 1) * BlockRows); o++)
            {
                weights.ReadFloat32(weight, (long)o * inputs, w);
                for (var r = 0; r < rows; r++)
                    y[(long)r * outputs + o] = (float)(Dot(x.AsSpan(r * inputs, inputs), w) + (b?[o] ?? 0));
            }
            return w;
        }, _ => { });
        return y;
    }

    /// <summary>The same for W stored [inputs, outputs], as GPT-2's Conv1D.</summary>
    public float[] Conv1D(float[] x, int inputs, string weight, string bias)
    {
        int rows = x.Length / inputs, outputs = (int)weights.Tensors[weight].Shape[1];
        var w = weights.ReadFloat32(weight);
        var b = weights.ReadFloat32(bias);
        var y = new float[(long)rows * outputs];
        Parallel.For(0, rows, r =>
        {
            double[] sum = [.. b.Select(v => (double)v)], wide = new double[outputs];
            var piece = new float[outputs];
            for (var start = 0; start < inputs; start += Piece / 8)
            {
                Array.Clear(piece);
                for (var i = start; i < Math.Min(inputs, start + Piece / 8); i++)
                    TensorPrimitives.MultiplyAdd(w.AsSpan(i * outputs, outputs), x[r * inputs + i], piece, piece);
                TensorPrimitives.ConvertTruncating<float, double>(piece, wide);
                TensorPrimitives.Add<double>(sum, wide, sum);
            }
            for (var o = 0; o < outputs; o++)
                y[(long)r * outputs + o] = (float)sum[o];
        });
        return y;
    }

    /// <summary>x / √(mean x² + ε) · (w + plus) over the last <paramref name="width"/> values.</summary>
    public float[] RmsNorm(float[] x, int width, string weight, double epsilon, double plus)
    {
        var w = weights.ReadFloat32(weight);
        var y = new float[x.Length];
        for (var start = 0; start < x.Length; start += width)
        {
            var row = x.AsSpan(start, width);
            var scale = 1 / Math.Sqrt(Dot(row, row) / width + epsilon);
            for (var i = 0; i < width; i++)
                y[start + i] = (float)(row[i] * scale * (w[i] + plus));
        }
        return y;
    }

    /// <summary>(x − mean) / √(variance + ε) · w + b over the last <paramref name="width"/> values.</summary>
    public float[] LayerNorm(float[] x, int width, string name, double epsilon)
    {
        float[] w = weights.ReadFloat32($"{name}.weight"), b = weights.ReadFloat32($"{name}.bias");
        var y = new float[x.Length];
        for (var start = 0; start < x.Length; start += width)
        {
            double mean = 0, variance = 0;
            for (var i = 0; i < width; i++)
                mean += x[start + i];
            mean /= width;
            for (var i = 0; i < width; i++)
                variance += (x[start + i] - mean) * (x[start + i] - mean);
            var scale = 1 / Math.Sqrt(variance / width + epsilon);
            for (var i = 0; i < width; i++)
                y[start + i] = (float)((x[start + i] - mean) * scale * w[i] + b[i]);
        }
        return y;
    }

    public static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (var start = 0; start < a.Length; start += Piece)
        {
            var length = Math.Min(Piece, a.Length - start);
            sum += TensorPrimitives.Dot(a.Slice(start, length), b.Slice(start, length));
        }
        return sum;
    }

    public static float Activate(string name, float value)
    {
        double x = value;
        return (float)(name switch
        {
            "silu" or "swish" => x / (1 + Math.Exp(-x)),
            "gelu" => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
            "relu" => Math.Max(0, x),
            "relu2" => Math.Max(0, x) * Math.Max(0, x),
            _ => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        });
    }

    /// <summary>The error function: its Maclaurin series for small arguments, the continued fraction of erfc for large ones (Abramowitz and Stegun 7.1.5, 7.1.14).</summary>
    public static double Erf(double x)
    {
        var z = Math.Abs(x);
        if (z < 2.5)
        {
            double term = z, sum = z;
            for (var n = 1; Math.Abs(term) > 1e-17 * Math.Abs(sum); n++)
            {
                term *= -z * z / n;
                sum += term / (2 * n + 1);
            }
            return Math.Sign(x) * 2 / Math.Sqrt(Math.PI) * sum;
        }
        var fraction = 0.0;
        for (var n = 60; n > 0; n--)
            fraction = n / 2.0 / (z + fraction);
        return Math.Sign(x) * (1 - Math.Exp(-z * z) / Math.Sqrt(Math.PI) / (z + fraction));
    }
}

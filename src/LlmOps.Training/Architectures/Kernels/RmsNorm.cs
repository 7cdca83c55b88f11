using System.Numerics;
using System.Numerics.Tensors;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace LlmOps.Training.Architectures.Kernels;

/// <summary>
/// Root-mean-square norm (Zhang and Sennrich 2019): y = x·r·w, r = 1/√(mean x² + ε), for [n, width] and w [width]; w is stored less one where the family says so.
/// Backward: with g = dy·w, dx = r·g - x·r³·(g·x)/width and dw = Σ dy·x·r.
/// </summary>
internal sealed class RmsNorm : autograd.SingleTensorFunction<RmsNorm>
{
    private const int PartRows = 64;

    /// <inheritdoc/>
    public override string Name => nameof(RmsNorm);

    /// <summary>The norm over the last dimension, in one pass on the processor and by libtorch's operations elsewhere.</summary>
    public static Tensor Of(Tensor x, Tensor weight, double epsilon, bool addsOne)
    {
        if (HostKernel.Takes(x)) return apply(x, weight, epsilon, addsOne);
        Tensor normed = x * (x.square().mean([-1], true) + epsilon).rsqrt();
        return normed * (addsOne ? weight + 1 : weight);
    }

    /// <inheritdoc/>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, weight, epsilon, addsOne) = (((Tensor)vars[0]).contiguous(), (Tensor)vars[1], (double)vars[2], (bool)vars[3]);
        ctx.save_for_backward([x, weight]);
        ctx.save_data("addsOne", addsOne);
        ctx.save_data("trains", weight.requires_grad);
        using var noGradient = no_grad();
        Tensor y = empty_like(x);
        ctx.save_data("inverse", x.dtype == ScalarType.Float32 ? Forward<float>(x, weight, y, epsilon, addsOne) : Forward<double>(x, weight, y, epsilon, addsOne));
        return y;
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        var (x, weight, slope) = (saved[0], saved[1], grad_output.contiguous());
        using var noGradient = no_grad();
        Tensor ofX = empty_like(x);
        Tensor? ofWeight = (bool)ctx.get_data("trains") ? empty_like(weight) : null;
        if (ctx.get_data("inverse") is float[] inverse) Backward(x, weight, slope, inverse, (bool)ctx.get_data("addsOne"), ofX, ofWeight);
        else Backward(x, weight, slope, (double[])ctx.get_data("inverse"), (bool)ctx.get_data("addsOne"), ofX, ofWeight);
        return HostKernel.Answer(saved, ofX, ofWeight!, null!, null!);
    }

    private static unsafe T[] Forward<T>(Tensor x, Tensor weight, Tensor y, double epsilon, bool addsOne) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int width = (int)x.shape[^1], rows = (int)(x.numel() / width);
        var inverse = new T[rows];
        T[] scale = Scale<T>(weight, addsOne);
        nint from = (nint)HostKernel.At<T>(x), to = (nint)HostKernel.At<T>(y);
        T eps = T.CreateTruncating(epsilon), n = T.CreateTruncating(width);
        HostKernel.ForParts(rows, PartRows, (_, start, end) =>
        {
            for (int row = start; row < end; row++)
            {
                Span<T> input = HostKernel.Span<T>(from, (long)row * width, width), output = HostKernel.Span<T>(to, (long)row * width, width);
                T r = inverse[row] = T.One / T.Sqrt(TensorPrimitives.SumOfSquares<T>(input) / n + eps);
                TensorPrimitives.Multiply(input, r, output);
                TensorPrimitives.Multiply(output, scale, output);
            }
        });
        return inverse;
    }

    private static unsafe void Backward<T>(Tensor x, Tensor weight, Tensor slope, T[] inverse, bool addsOne, Tensor ofX, Tensor? ofWeight) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int width = (int)x.shape[^1], rows = inverse.Length, parts = (rows + PartRows - 1) / PartRows;
        T[] scale = Scale<T>(weight, addsOne);
        T[]? sums = ofWeight is null ? null : new T[parts * width];
        nint from = (nint)HostKernel.At<T>(x), by = (nint)HostKernel.At<T>(slope), to = (nint)HostKernel.At<T>(ofX);
        T n = T.CreateTruncating(width);
        HostKernel.ForParts(rows, PartRows, (part, start, end) =>
        {
            for (int row = start; row < end; row++)
            {
                long at = (long)row * width;
                Span<T> input = HostKernel.Span<T>(from, at, width), dy = HostKernel.Span<T>(by, at, width), dx = HostKernel.Span<T>(to, at, width);
                T r = inverse[row];
                if (sums is not null)
                {
                    Span<T> sum = sums.AsSpan(part * width, width);
                    TensorPrimitives.Multiply(input, r, dx);
                    TensorPrimitives.MultiplyAdd(dx, dy, sum, sum);
                }
                TensorPrimitives.Multiply(dy, scale, dx);
                T along = TensorPrimitives.Dot<T>(dx, input) * r * r / n;
                // r·(g - x·along) in two passes over a row that lies in the nearest cache.
                Line(dx, input, r, -along * r);
            }
        });
        if (sums is null) return;
        Span<T> total = new(HostKernel.At<T>(ofWeight!), width);
        total.Clear();
        for (int part = 0; part < parts; part++) TensorPrimitives.Add(total, sums.AsSpan(part * width, width), total);
    }

    // y ← a·y + b·x.
    private static void Line<T>(Span<T> y, ReadOnlySpan<T> x, T a, T b) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        TensorPrimitives.Multiply(y, a, y);
        TensorPrimitives.MultiplyAdd(x, b, y, y);
    }

    private static unsafe T[] Scale<T>(Tensor weight, bool addsOne) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T[] scale = new ReadOnlySpan<T>(HostKernel.At<T>(weight), (int)weight.numel()).ToArray();
        if (addsOne) TensorPrimitives.Add(scale, T.One, scale);
        return scale;
    }
}

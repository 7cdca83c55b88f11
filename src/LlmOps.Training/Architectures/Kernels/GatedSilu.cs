using System.Numerics;
using System.Numerics.Tensors;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Architectures.Kernels;

/// <summary>
/// The gate of SwiGLU (Shazeer 2020): y = g·σ(g)·u for tensors of one shape. Backward: du = dy·g·σ(g), dg = dy·u·(σ(g) + g·σ(g)·(1 - σ(g))).
/// </summary>
internal sealed class GatedSilu : autograd.SingleTensorFunction<GatedSilu>
{
    private const int PartValues = 1 << 15;
    // Stays in the nearest cache with its operands.
    private const int Block = 1 << 10;

    /// <inheritdoc/>
    public override string Name => nameof(GatedSilu);

    /// <summary>The gated values, in one pass on the processor and by libtorch's operations elsewhere.</summary>
    public static Tensor Of(Tensor gate, Tensor up) => HostKernel.Takes(gate) ? apply(gate, up) : F.silu(gate) * up;

    /// <inheritdoc/>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (gate, up) = (((Tensor)vars[0]).contiguous(), ((Tensor)vars[1]).contiguous());
        ctx.save_for_backward([gate, up]);
        using var noGradient = no_grad();
        Tensor y = empty_like(gate);
        if (gate.dtype == ScalarType.Float32) Forward<float>(gate, up, y);
        else Forward<double>(gate, up, y);
        return y;
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        var (gate, up, slope) = (saved[0], saved[1], grad_output.contiguous());
        using var noGradient = no_grad();
        var (ofGate, ofUp) = (empty_like(gate), empty_like(up));
        if (gate.dtype == ScalarType.Float32) Backward<float>(gate, up, slope, ofGate, ofUp);
        else Backward<double>(gate, up, slope, ofGate, ofUp);
        return HostKernel.Answer(saved, ofGate, ofUp);
    }

    private static unsafe void Forward<T>(Tensor gate, Tensor up, Tensor y) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        nint g = (nint)HostKernel.At<T>(gate), u = (nint)HostKernel.At<T>(up), to = (nint)HostKernel.At<T>(y);
        HostKernel.ForParts((int)gate.numel(), PartValues, (_, start, end) =>
        {
            for (int at = start; at < end; at += Block)
            {
                int length = Math.Min(Block, end - at);
                Span<T> gates = HostKernel.Span<T>(g, at, length), output = HostKernel.Span<T>(to, at, length);
                TensorPrimitives.Sigmoid(gates, output);
                TensorPrimitives.Multiply(output, gates, output);
                TensorPrimitives.Multiply(output, HostKernel.Span<T>(u, at, length), output);
            }
        });
    }

    private static unsafe void Backward<T>(Tensor gate, Tensor up, Tensor slope, Tensor ofGate, Tensor ofUp) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        nint g = (nint)HostKernel.At<T>(gate), u = (nint)HostKernel.At<T>(up), by = (nint)HostKernel.At<T>(slope), toGate = (nint)HostKernel.At<T>(ofGate), toUp = (nint)HostKernel.At<T>(ofUp);
        HostKernel.ForParts((int)gate.numel(), PartValues, (_, start, end) =>
        {
            Span<T> buffer = stackalloc T[Block];
            for (int at = start; at < end; at += Block)
            {
                int length = Math.Min(Block, end - at);
                Span<T> sigma = buffer[..length];
                Span<T> gates = HostKernel.Span<T>(g, at, length), dy = HostKernel.Span<T>(by, at, length), dg = HostKernel.Span<T>(toGate, at, length), du = HostKernel.Span<T>(toUp, at, length);
                TensorPrimitives.Sigmoid(gates, sigma);
                TensorPrimitives.Multiply(gates, sigma, du);
                // σ + s·(1 - σ) = σ + s - s·σ with s = g·σ.
                TensorPrimitives.Multiply(du, sigma, dg);
                TensorPrimitives.Subtract(du, dg, dg);
                TensorPrimitives.Add(dg, sigma, dg);
                TensorPrimitives.Multiply(dg, dy, dg);
                TensorPrimitives.Multiply(dg, HostKernel.Span<T>(u, at, length), dg);
                TensorPrimitives.Multiply(du, dy, du);
            }
        });
    }
}

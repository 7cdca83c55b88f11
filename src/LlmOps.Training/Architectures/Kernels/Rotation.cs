using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Architectures.Kernels;

/// <summary>
/// Rotary embedding of [tokens, heads, size] in one pass: pairs (xᵢ, xᵢ₊ₙ) are turned by their token's angle, dimensions beyond 2n are copied. The gradient is
/// turned back.
/// </summary>
internal sealed class Rotation : autograd.SingleTensorFunction<Rotation>
{
    private const int PartTokens = 128;

    /// <inheritdoc/>
    public override string Name => nameof(Rotation);

    /// <summary>The turned values; the shape is kept.</summary>
    /// <param name="x">[tokens, heads, size], or more dimensions in front.</param>
    /// <param name="turns">Cosines and sines of each token.</param>
    public static Tensor Of(Tensor x, HostTurns turns) => apply(x, turns);

    /// <inheritdoc/>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, turns) = ((Tensor)vars[0], (HostTurns)vars[1]);
        ctx.save_data("turns", turns);
        using var noGradient = no_grad();
        return Turned(x, turns, 1);
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var noGradient = no_grad();
        return HostKernel.Answer([], Turned(grad_output, (HostTurns)ctx.get_data("turns"), -1), null!);
    }

    private static Tensor Turned(Tensor x, HostTurns turns, int direction)
    {
        Tensor input = x.contiguous(), y = empty_like(input);
        if (x.dtype == ScalarType.Float32) Turn<float>(input, y, turns.Cosines, turns.Sines, turns, direction);
        else Turn<double>(input, y, [.. turns.Cosines.Select(c => (double)c)], [.. turns.Sines.Select(s => (double)s)], turns, direction);
        return y;
    }

    private static unsafe void Turn<T>(Tensor x, Tensor y, T[] cosines, T[] sines, HostTurns turns, int direction) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int size = (int)x.shape[^1], heads = (int)x.shape[^2], tokens = (int)(x.numel() / (heads * size)), half = turns.Half;
        nint from = (nint)HostKernel.At<T>(x), to = (nint)HostKernel.At<T>(y);
        T sign = T.CreateTruncating(direction);
        HostKernel.ForParts(tokens, PartTokens, (_, start, end) =>
        {
            fixed (T* cosine = cosines, sine = sines)
            {
                for (int token = start; token < end; token++)
                {
                    long table = turns.PositionOf(token) * half;
                    for (int head = 0; head < heads; head++)
                    {
                        long at = ((long)token * heads + head) * size;
                        TurnOne((T*)from + at, (T*)to + at, cosine + table, sine + table, half, sign);
                        for (int i = 2 * half; i < size; i++) ((T*)to)[at + i] = ((T*)from)[at + i];
                    }
                }
            }
        });
    }

    private static unsafe void TurnOne<T>(T* x, T* y, T* cosine, T* sine, int half, T sign) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        for (; i <= half - Vector<T>.Count; i += Vector<T>.Count)
        {
            Vector<T> a = Vector.Load(x + i), b = Vector.Load(x + half + i), c = Vector.Load(cosine + i), s = Vector.Load(sine + i) * sign;
            Vector.Store(a * c - b * s, y + i);
            Vector.Store(b * c + a * s, y + half + i);
        }
        for (; i < half; i++)
        {
            T a = x[i], b = x[half + i], c = cosine[i], s = sine[i] * sign;
            y[i] = a * c - b * s;
            y[half + i] = b * c + a * s;
        }
    }
}

/// <summary>Cosines and sines [positions · half] and where each token stands.</summary>
/// <param name="Cosines">cos of position · frequency.</param>
/// <param name="Sines">sin of it.</param>
/// <param name="Half">Pairs of a head that turn.</param>
/// <param name="Positions">Position of each token; null when rows of <paramref name="Length"/> tokens each start at 0.</param>
/// <param name="Length">Tokens of a row.</param>
internal sealed record HostTurns(float[] Cosines, float[] Sines, int Half, long[]? Positions, int Length)
{
    public long PositionOf(int token) => Positions is null ? token % Length : Positions[token];
}

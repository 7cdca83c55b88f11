using System.Numerics;
using System.Runtime.InteropServices;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.Optimizers;

/// <summary>Factor of every gradient, and the penalties that the gradients of matrices get: λ·w (L2) and ±λ (L1).</summary>
internal readonly record struct GradientTerms(float Scale, float L2, float L1);

/// <summary>Values and gradients of one block, and where it lies in buffers that are laid out as the parameters.</summary>
internal readonly ref struct FlatBlock(int start, bool decays, Span<Vector<float>> values, ReadOnlySpan<Vector<float>> gradients, GradientTerms terms)
{
    private readonly ReadOnlySpan<Vector<float>> gradients = gradients;
    private readonly float l2 = decays ? terms.L2 : 0, l1 = decays ? terms.L1 : 0;

    /// <summary>False for norm scales and biases.</summary>
    public bool Decays { get; } = decays;

    public Span<Vector<float>> Values { get; } = values;

    /// <summary>This block's part of a buffer of the optimizer.</summary>
    public Span<Vector<float>> Of(float[] buffer) => MemoryMarshal.Cast<float, Vector<float>>(buffer.AsSpan(start, Values.Length * Vector<float>.Count));

    /// <summary>Gradients at one place of the block, clipped and with their penalties.</summary>
    public Vector<float> Gradient(int i)
    {
        Vector<float> value = Values[i];
        return gradients[i] * terms.Scale + value * l2 + Sign(value) * l1;
    }

    /// <summary>-1, 0 or 1.</summary>
    public static Vector<float> Sign(Vector<float> x) => Vector.ConditionalSelect(
        Vector.GreaterThan(x, Vector<float>.Zero), Vector<float>.One, Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), -Vector<float>.One, Vector<float>.Zero));
}

/// <summary>Updates one block.</summary>
internal delegate void BlockUpdate(FlatBlock block);

/// <summary>
/// One walk over parameters and gradients in blocks, on all threads. Updates are element-wise, so the result does not depend on who takes which block.
/// Padding between parameters is walked over as well: rules must keep zeros with zero gradients at zero.
/// </summary>
internal sealed class FlatPass
{
    private const int BlockLength = 1 << 16;

    private readonly FlatParameters parameters;
    private readonly (int Start, int Length, bool Decays)[] blocks;

    public FlatPass(FlatParameters parameters)
    {
        this.parameters = parameters;
        blocks = [.. Blocks(parameters)];
    }

    /// <summary>At most this many threads work on one step.</summary>
    public static ParallelOptions Threads => new() { MaxDegreeOfParallelism = Math.Max(1, TorchRuntime.Threads) };

    public unsafe void Run(GradientTerms terms, BlockUpdate update)
    {
        fixed (float* values = parameters.Values, gradients = parameters.Gradients)
        {
            // Native memory of the tensors does not move; lambdas may not capture fixed locals, addresses they may.
            nint valuesAt = (nint)values, gradientsAt = (nint)gradients;
            Parallel.For(0, blocks.Length, Threads, i =>
            {
                var (start, length, decays) = blocks[i];
                update(new FlatBlock(
                    start, decays, MemoryMarshal.Cast<float, Vector<float>>(new Span<float>((float*)valuesAt + start, length)),
                    MemoryMarshal.Cast<float, Vector<float>>(new ReadOnlySpan<float>((float*)gradientsAt + start, length)), terms));
            });
        }
    }

    private static IEnumerable<(int, int, bool)> Blocks(FlatParameters parameters)
    {
        for (int i = 0; i < parameters.Shapes.Count; i++)
        {
            int end = i + 1 < parameters.Shapes.Count ? parameters.Offsets[i + 1] : parameters.Count;
            for (int start = parameters.Offsets[i]; start < end; start += BlockLength)
                yield return (start, Math.Min(BlockLength, end - start), parameters.Shapes[i].Decays);
        }
    }
}

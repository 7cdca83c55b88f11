using System.Numerics;
using System.Runtime.InteropServices;
using LlmOps.Engines;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Architectures;

/// <summary>Name and shape of one parameter, and whether weight decay applies to it (matrices yes, norm scales no).</summary>
public sealed record ParameterShape(string Name, long[] Shape, bool Decays)
{
    /// <summary>Number of values.</summary>
    public int Count => checked((int)Shape.Aggregate(1L, (product, size) => product * size));
}

/// <summary>
/// Parameters as views into one contiguous float32 buffer, and their gradients into a second one, so that clipping, the optimizer and checkpoints
/// each walk over plain memory once instead of calling into libtorch per parameter.
/// </summary>
public sealed class FlatParameters : IDisposable
{
    // Every parameter starts on a cache line; the padding stays zero in all buffers.
    private const int Alignment = 16;

    private readonly Dictionary<string, Tensor> views = [];
    private readonly Tensor values;
    private readonly Tensor? gradients;

    /// <summary>Allocates zero-filled buffers.</summary>
    /// <param name="shapes">The parameters in storage order.</param>
    /// <param name="trainable">True to allocate gradients and record operations on the views.</param>
    /// <exception cref="UnsupportedModelException">More than 2 GiB of values.</exception>
    public FlatParameters(IEnumerable<ParameterShape> shapes, bool trainable)
    {
        Shapes = [.. shapes];
        var offsets = new int[Shapes.Count];
        Offsets = offsets;
        long total = 0;
        for (int i = 0; i < Shapes.Count; i++)
        {
            offsets[i] = (int)total;
            total += (Shapes[i].Count + Alignment - 1L) / Alignment * Alignment;
            if (total > int.MaxValue / sizeof(float)) throw new UnsupportedModelException("Training supports up to 536 million parameters; this model has more.");
        }
        Count = (int)total;
        using var outer = NewDisposeScope();
        values = zeros(Count, ScalarType.Float32).DetachFromDisposeScope();
        gradients = trainable ? zeros(Count, ScalarType.Float32).DetachFromDisposeScope() : null;
        for (int i = 0; i < Shapes.Count; i++)
        {
            ParameterShape shape = Shapes[i];
            // detach() makes the view a leaf, so that its gradient can point into the gradient buffer.
            Tensor view = values.narrow(0, Offsets[i], shape.Count).view(shape.Shape).detach();
            if (gradients is not null)
            {
                view.requires_grad_(true);
                view.grad = gradients.narrow(0, Offsets[i], shape.Count).view(shape.Shape).detach();
            }
            views.Add(shape.Name, view.DetachFromDisposeScope());
        }
    }

    /// <summary>The parameters in storage order.</summary>
    public IReadOnlyList<ParameterShape> Shapes { get; }

    /// <summary>Start of each parameter in the buffers, in values.</summary>
    public IReadOnlyList<int> Offsets { get; }

    /// <summary>Length of the buffers, padding included.</summary>
    public int Count { get; }

    /// <summary>True when the buffers have gradients.</summary>
    public bool Trainable => gradients is not null;

    /// <summary>The parameter of this name, sharing memory with <see cref="Values"/>.</summary>
    public Tensor this[string name] => views[name];

    /// <summary>The native memory of all values.</summary>
    public Span<float> Values => MemoryMarshal.Cast<byte, float>(values.bytes);

    /// <summary>The native memory of all gradients.</summary>
    /// <exception cref="InvalidOperationException">The parameters are not trainable.</exception>
    public Span<float> Gradients => MemoryMarshal.Cast<byte, float>((gradients ?? throw new InvalidOperationException("These parameters are frozen.")).bytes);

    /// <summary>The values of one parameter, in row-major order.</summary>
    public Span<float> ValuesOf(string name)
    {
        for (int i = 0; i < Shapes.Count; i++)
        {
            if (Shapes[i].Name == name) return Values.Slice(Offsets[i], Shapes[i].Count);
        }
        throw new KeyNotFoundException($"No parameter is called '{name}'.");
    }

    /// <summary>Sets all gradients to zero.</summary>
    public void ClearGradients() => Gradients.Clear();

    /// <summary>Euclidean norm over all gradients; summed in double over fixed blocks so that the result does not depend on threads.</summary>
    public double GradientNorm()
    {
        ReadOnlySpan<float> all = Gradients;
        const int block = 4096;
        double total = 0;
        for (int start = 0; start < all.Length; start += block)
        {
            ReadOnlySpan<Vector<float>> lanes = MemoryMarshal.Cast<float, Vector<float>>(all.Slice(start, Math.Min(block, all.Length - start)));
            Vector<float> sum = Vector<float>.Zero;
            foreach (Vector<float> lane in lanes) sum += lane * lane;
            total += Vector.Sum(sum);
        }
        return Math.Sqrt(total);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor view in views.Values)
        {
            view.grad = null;
            view.Dispose();
        }
        values.Dispose();
        gradients?.Dispose();
    }
}

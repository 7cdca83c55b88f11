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
    private Tensor values;
    private Tensor? gradients;

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
        CutViews();
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

    /// <summary>Whether values and gradients lie in the processor's memory.</summary>
    public bool IsOnHost => values.device_type == DeviceType.CPU;

    /// <summary>All values and all gradients as tensors, for operations on another device.</summary>
    internal (Tensor Values, Tensor Gradients) OnDevice => (values, gradients ?? throw new InvalidOperationException("These parameters are frozen."));

    /// <summary>The native memory of all values; on the processor only.</summary>
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
    public void ClearGradients()
    {
        if (IsOnHost) Gradients.Clear();
        else OnDevice.Gradients.zero_();
    }

    /// <summary>Euclidean norm over all gradients; summed in double over fixed blocks so that the result does not depend on threads.</summary>
    public double GradientNorm()
    {
        if (!IsOnHost)
        {
            using Tensor norm = OnDevice.Gradients.norm();
            return norm.item<float>();
        }
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

    /// <summary>Moves values and gradients; whoever holds a view must ask for it again.</summary>
    public void MoveTo(Device device)
    {
        if (values.device_type == device.type) return;
        Tensor Moved(Tensor from)
        {
            using Tensor old = from;
            return from.to(device).DetachFromDisposeScope();
        }
        values = Moved(values);
        if (gradients is not null) gradients = Moved(gradients);
        CutViews();
    }

    /// <summary>A copy of all values.</summary>
    public float[] ToArray()
    {
        if (IsOnHost) return Values.ToArray();
        using Tensor host = values.cpu();
        return MemoryMarshal.Cast<byte, float>(host.bytes).ToArray();
    }

    /// <summary>Overwrites all values.</summary>
    /// <param name="all">As <see cref="ToArray"/> gives them.</param>
    public void Set(float[] all)
    {
        using var noGradient = no_grad();
        using Tensor host = frombuffer(all, ScalarType.Float32);
        values.copy_(host);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor view in views.Values) Release(view);
        values.Dispose();
        gradients?.Dispose();
    }

    private void CutViews()
    {
        foreach (Tensor view in views.Values) Release(view);
        views.Clear();
        using var outer = NewDisposeScope();
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

    private static void Release(Tensor view)
    {
        view.grad = null;
        view.Dispose();
    }
}

using System.Numerics;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Architectures.Kernels;

/// <summary>
/// What the fused operations of the processor share: libtorch computes a norm, a rotation or a gate as five to ten passes over memory, each with a barrier of its
/// own; here each is one pass. They are generic in the number format so that tests check the same code in float64.
/// </summary>
internal static class HostKernel
{
    /// <summary>Whether a tensor's memory can be walked over here: on the processor, in float32 or float64.</summary>
    public static bool Takes(Tensor x) => x.device_type == DeviceType.CPU && x.dtype is ScalarType.Float32 or ScalarType.Float64;

    /// <summary>The values of a contiguous tensor.</summary>
    public static unsafe T* At<T>(Tensor contiguous) where T : unmanaged
    {
        // A span over native memory: its address does not move.
        fixed (byte* start = contiguous.bytes) return (T*)start;
    }

    /// <summary>Values from a place on.</summary>
    public static unsafe Span<T> Span<T>(nint values, long start, int length) where T : unmanaged => new((T*)values + start, length);

    [ThreadStatic] private static List<Tensor>? given;

    /// <summary>
    /// Takes what a backward pass read and what it answers with out of the step's scope, which would hold all of it to the end of the step. An answer is read as soon
    /// as it is given, so it is let go of when the next one comes.
    /// </summary>
    public static List<Tensor> Answer(List<Tensor> read, params List<Tensor> slopes)
    {
        given?.ForEach(t => t.Dispose());
        given = [];
        foreach (Tensor t in read) t.Dispose();
        foreach (Tensor? t in slopes)
        {
            if (t is not null) given.Add(t.DetachFromDisposeScope());
        }
        return slopes;
    }

    /// <summary>Runs work over parts of equal length. The cut depends on the count only, so results do not depend on threads.</summary>
    public static void ForParts(int count, int partLength, Action<int, int, int> work)
    {
        int parts = (count + partLength - 1) / partLength;
        void Part(int i) => work(i, i * partLength, Math.Min(count, (i + 1) * partLength));
        if (parts == 1 || TorchRuntime.Threads <= 1)
        {
            for (int i = 0; i < parts; i++) Part(i);
            return;
        }
        Parallel.For(0, parts, Optimizers.FlatPass.Threads, Part);
    }

    public static Vector<T> MultiplyAdd<T>(Vector<T> a, Vector<T> b, Vector<T> c) where T : unmanaged => typeof(T) == typeof(float)
        ? Vector.FusedMultiplyAdd(a.As<T, float>(), b.As<T, float>(), c.As<T, float>()).As<float, T>()
        : Vector.FusedMultiplyAdd(a.As<T, double>(), b.As<T, double>(), c.As<T, double>()).As<double, T>();

    public static Vector<T> Exp<T>(Vector<T> x) where T : unmanaged => typeof(T) == typeof(float)
        ? Vector.Exp(x.As<T, float>()).As<float, T>()
        : Vector.Exp(x.As<T, double>()).As<double, T>();
}

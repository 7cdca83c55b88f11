using System.Numerics;
using System.Runtime.InteropServices;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.Optimizers;

/// <summary>
/// AdamW (Loshchilov and Hutter 2019, in PyTorch's form) over one flat buffer: decay, both moments and the update in a single pass. Element-wise, so
/// the result does not depend on the number of threads.
/// </summary>
public sealed class FusedAdamW : Optimizer
{
    private const int BlockLength = 1 << 16;

    private readonly FlatParameters parameters;
    private readonly (int Start, int Length, bool Decays)[] blocks;

    /// <summary>Moments start at zero.</summary>
    /// <param name="parameters">Trainable parameters.</param>
    /// <param name="weightDecay">Decoupled decay λ; norm scales are left out.</param>
    /// <param name="beta1">Decay rate of the first moment.</param>
    /// <param name="beta2">Decay rate of the second moment.</param>
    /// <param name="epsilon">Added to the denominator.</param>
    public FusedAdamW(FlatParameters parameters, double weightDecay, double beta1 = 0.9, double beta2 = 0.95, double epsilon = 1e-8)
    {
        this.parameters = parameters;
        (WeightDecay, Beta1, Beta2, Epsilon) = (weightDecay, beta1, beta2, epsilon);
        FirstMoment = new float[parameters.Count];
        SecondMoment = new float[parameters.Count];
        blocks = [.. Blocks(parameters)];
    }

    /// <summary>Decoupled weight decay λ.</summary>
    public double WeightDecay { get; }

    /// <summary>Decay rate of the first moment.</summary>
    public double Beta1 { get; }

    /// <summary>Decay rate of the second moment.</summary>
    public double Beta2 { get; }

    /// <summary>Added to the denominator.</summary>
    public double Epsilon { get; }

    /// <summary>Running mean of gradients, laid out as the parameters.</summary>
    public float[] FirstMoment { get; }

    /// <summary>Running mean of squared gradients, laid out as the parameters.</summary>
    public float[] SecondMoment { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, float[] Values)> State => [("first_moment", FirstMoment), ("second_moment", SecondMoment)];

    /// <inheritdoc/>
    public override unsafe void Step(int step, double learningRate, double gradientScale)
    {
        var rates = new Rates(
            (float)gradientScale, (float)Beta1, (float)Beta2, (float)Epsilon, (float)(1 / Math.Sqrt(1 - Math.Pow(Beta2, step))),
            (float)(learningRate / (1 - Math.Pow(Beta1, step))), (float)(1 - learningRate * WeightDecay));
        fixed (float* values = parameters.Values, gradients = parameters.Gradients)
        {
            // Native memory of the tensors does not move; lambdas may not capture fixed locals, addresses they may.
            nint valuesAt = (nint)values, gradientsAt = (nint)gradients;
            Parallel.For(0, blocks.Length, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, TorchRuntime.Threads) }, i =>
            {
                var (start, length, decays) = blocks[i];
                Update(
                    new Span<float>((float*)valuesAt + start, length), new ReadOnlySpan<float>((float*)gradientsAt + start, length),
                    FirstMoment.AsSpan(start, length), SecondMoment.AsSpan(start, length), decays ? rates : rates with { Decay = 1 });
            });
        }
    }

    private static void Update(Span<float> values, ReadOnlySpan<float> gradients, Span<float> first, Span<float> second, Rates r)
    {
        Span<Vector<float>> p = MemoryMarshal.Cast<float, Vector<float>>(values), m = MemoryMarshal.Cast<float, Vector<float>>(first), v = MemoryMarshal.Cast<float, Vector<float>>(second);
        ReadOnlySpan<Vector<float>> g = MemoryMarshal.Cast<float, Vector<float>>(gradients);
        var epsilon = new Vector<float>(r.Epsilon);
        for (int i = 0; i < p.Length; i++)
        {
            Vector<float> gradient = g[i] * r.GradientScale;
            Vector<float> mean = m[i] = m[i] * r.Beta1 + gradient * (1 - r.Beta1);
            Vector<float> square = v[i] = v[i] * r.Beta2 + gradient * gradient * (1 - r.Beta2);
            p[i] = p[i] * r.Decay - mean * r.StepSize / (Vector.SquareRoot(square) * r.SecondCorrection + epsilon);
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

    private readonly record struct Rates(float GradientScale, float Beta1, float Beta2, float Epsilon, float SecondCorrection, float StepSize, float Decay);
}

using System.Numerics;
using System.Runtime.InteropServices;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.Optimizers;

/// <summary>Exponential moving average of weights (Polyak averaging): a ← d·a + (1 - d)·w after each step. Starts from the weights as they are.</summary>
public sealed class ExponentialAverage
{
    private readonly FlatParameters parameters;

    /// <summary>Copies the weights as they are now.</summary>
    /// <param name="parameters">The weights that are trained.</param>
    /// <param name="decay">d, 0 to below 1.</param>
    public ExponentialAverage(FlatParameters parameters, double decay)
    {
        (this.parameters, Decay) = (parameters, decay);
        Values = parameters.ToArray();
    }

    /// <summary>d.</summary>
    public double Decay { get; }

    /// <summary>The averaged weights, laid out as the parameters.</summary>
    public float[] Values { get; }

    /// <summary>Takes the weights after a step into the average.</summary>
    public void Update()
    {
        // Weights on a device are fetched: an average costs a copy of them in each step there.
        Span<Vector<float>> average = MemoryMarshal.Cast<float, Vector<float>>(Values.AsSpan()), weights = MemoryMarshal.Cast<float, Vector<float>>(parameters.IsOnHost ? parameters.Values : parameters.ToArray());
        for (int i = 0; i < average.Length; i++) average[i] = average[i] * (float)Decay + weights[i] * (float)(1 - Decay);
    }

    /// <summary>Exchanges average and weights, so that the model computes with the average; a second call takes it back.</summary>
    public void Swap()
    {
        float[] trained = parameters.ToArray();
        parameters.Set(Values);
        trained.CopyTo(Values, 0);
    }
}

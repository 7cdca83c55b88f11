namespace LlmOps.Engines.Quantization;

/// <summary>What is kept of the activations that a product reads: sums over all positions, per input channel and per pair of channels.</summary>
/// <param name="input">Name of the tensor.</param>
/// <param name="width">Channels.</param>
internal sealed class ChannelStatistics(string input, int width)
{
    private readonly double[] sumAbs = new double[width], sumSquares = new double[width];

    public string Input => input;
    public int Width => width;

    /// <summary>Positions seen.</summary>
    public long Positions { get; private set; }

    /// <summary>mean |x| per channel.</summary>
    public double[] MeanAbs => [.. sumAbs.Select(s => s / Positions)];

    /// <summary>mean x² per channel.</summary>
    public double[] MeanSquare => [.. sumSquares.Select(s => s / Positions)];

    /// <summary>max |x| per channel.</summary>
    public float[] MaxAbs { get; } = new float[width];

    /// <summary>XᵀX, [width, width]; null when not asked for.</summary>
    public float[]? Gram { get; private set; }

    public void Add(long positions, ReadOnlySpan<float> abs, ReadOnlySpan<float> squares, ReadOnlySpan<float> max, ReadOnlySpan<float> gram)
    {
        Positions += positions;
        for (var i = 0; i < width; i++)
        {
            sumAbs[i] += abs[i];
            sumSquares[i] += squares[i];
            MaxAbs[i] = Math.Max(MaxAbs[i], max[i]);
        }
        if (!double.IsFinite(sumSquares.Sum()))
            throw new InvalidModelException($"The activations '{input}' are not finite on the calibration tokens.");
        if (gram.IsEmpty)
            return;
        Gram ??= new float[width * width];
        System.Numerics.Tensors.TensorPrimitives.Add(Gram, gram, Gram);
    }
}

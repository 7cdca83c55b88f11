using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Architectures;

/// <summary>
/// Rotary position embedding in the half-split form of Llama checkpoints (Su et al. 2021; Hugging Face's <c>rotate_half</c>): dimension i and
/// i + d/2 of each head form one pair that is turned by position · θ^(-2i/d).
/// </summary>
internal sealed class RotaryEmbedding : IDisposable
{
    private readonly int half;
    private readonly Tensor cosines;
    private readonly Tensor sines;

    public RotaryEmbedding(int headDim, int positions, double theta)
    {
        half = headDim / 2;
        var cosineValues = new float[positions * headDim];
        var sineValues = new float[positions * headDim];
        for (int position = 0; position < positions; position++)
        {
            for (int i = 0; i < half; i++)
            {
                double angle = position * Math.Pow(theta, -2.0 * i / headDim);
                int at = position * headDim + i;
                cosineValues[at] = cosineValues[at + half] = (float)Math.Cos(angle);
                sineValues[at] = sineValues[at + half] = (float)Math.Sin(angle);
            }
        }
        using var scope = NewDisposeScope();
        cosines = tensor(cosineValues, [positions, headDim]).DetachFromDisposeScope();
        sines = tensor(sineValues, [positions, headDim]).DetachFromDisposeScope();
    }

    /// <summary>
    /// Cosine and sine per position, shaped to broadcast over [rows, length, heads, headDim]. Positions are those of every token [rows · length], or null
    /// for 0 … length - 1 in each row.
    /// </summary>
    public (Tensor Cosine, Tensor Sine) At(Tensor? positions, long rows, long length)
    {
        if (positions is null) return (cosines.narrow(0, 0, length).view(1, length, 1, 2 * half), sines.narrow(0, 0, length).view(1, length, 1, 2 * half));
        return (cosines.index_select(0, positions).view(rows, length, 1, 2 * half), sines.index_select(0, positions).view(rows, length, 1, 2 * half));
    }

    public Tensor Rotate(Tensor x, (Tensor Cosine, Tensor Sine) at)
    {
        Tensor turned = cat([-x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1);
        return x * at.Cosine + turned * at.Sine;
    }

    public void Dispose()
    {
        cosines.Dispose();
        sines.Dispose();
    }
}

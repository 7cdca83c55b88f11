using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Architectures;

/// <summary>
/// Rotary position embedding in the half-split form of Llama checkpoints (Su et al. 2021; Hugging Face's <c>rotate_half</c>): dimensions i and i + n of each
/// head form one pair that is turned by position · frequency i, for n frequencies; dimensions beyond 2n stay as they are.
/// </summary>
internal sealed class RotaryEmbedding : IDisposable
{
    private readonly int width;
    private readonly Tensor cosines;
    private readonly Tensor sines;

    public RotaryEmbedding(IReadOnlyList<double> frequencies, double scale, int positions)
    {
        int half = frequencies.Count;
        width = 2 * half;
        var cosineValues = new float[positions * width];
        var sineValues = new float[positions * width];
        for (int position = 0; position < positions; position++)
        {
            for (int i = 0; i < half; i++)
            {
                double angle = position * frequencies[i];
                int at = position * width + i;
                cosineValues[at] = cosineValues[at + half] = (float)(scale * Math.Cos(angle));
                sineValues[at] = sineValues[at + half] = (float)(scale * Math.Sin(angle));
            }
        }
        using var scope = NewDisposeScope();
        cosines = tensor(cosineValues, [positions, width]).DetachFromDisposeScope();
        sines = tensor(sineValues, [positions, width]).DetachFromDisposeScope();
    }

    /// <summary>
    /// Cosine and sine per position, shaped to broadcast over [rows, length, heads, width]. Positions are those of every token [rows · length], or null
    /// for 0 … length - 1 in each row.
    /// </summary>
    public (Tensor Cosine, Tensor Sine) At(Tensor? positions, long rows, long length)
    {
        if (positions is null) return (cosines.narrow(0, 0, length).view(1, length, 1, width), sines.narrow(0, 0, length).view(1, length, 1, width));
        return (cosines.index_select(0, positions).view(rows, length, 1, width), sines.index_select(0, positions).view(rows, length, 1, width));
    }

    public static Tensor Rotate(Tensor x, (Tensor Cosine, Tensor Sine) at)
    {
        long turning = at.Cosine.shape[^1], half = turning / 2, size = x.shape[^1];
        Tensor part = turning == size ? x : x.narrow(-1, 0, turning);
        Tensor turned = part * at.Cosine + cat([-part.narrow(-1, half, half), part.narrow(-1, 0, half)], -1) * at.Sine;
        return turning == size ? turned : cat([turned, x.narrow(-1, turning, size - turning)], -1);
    }

    public void Dispose()
    {
        cosines.Dispose();
        sines.Dispose();
    }
}

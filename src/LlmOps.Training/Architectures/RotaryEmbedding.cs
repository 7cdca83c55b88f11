using LlmOps.Training.Architectures.Kernels;
using LlmOps.Training.Batching;
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
    private Tensor cosines;
    private Tensor sines;
    private readonly float[] halfCosines, halfSines;

    public RotaryEmbedding(IReadOnlyList<double> frequencies, double scale, int positions)
    {
        int half = frequencies.Count;
        width = 2 * half;
        var cosineValues = new float[positions * width];
        var sineValues = new float[positions * width];
        (halfCosines, halfSines) = (new float[positions * half], new float[positions * half]);
        for (int position = 0; position < positions; position++)
        {
            for (int i = 0; i < half; i++)
            {
                double angle = position * frequencies[i];
                int at = position * width + i;
                halfCosines[position * half + i] = cosineValues[at] = cosineValues[at + half] = (float)(scale * Math.Cos(angle));
                halfSines[position * half + i] = sineValues[at] = sineValues[at + half] = (float)(scale * Math.Sin(angle));
            }
        }
        using var scope = NewDisposeScope();
        cosines = tensor(cosineValues, [positions, width]).DetachFromDisposeScope();
        sines = tensor(sineValues, [positions, width]).DetachFromDisposeScope();
    }

    public void MoveTo(Device device)
    {
        if (cosines.device_type == device.type) return;
        using Tensor oldCosines = cosines, oldSines = sines;
        (cosines, sines) = (oldCosines.to(device).DetachFromDisposeScope(), oldSines.to(device).DetachFromDisposeScope());
    }

    /// <summary>Turns queries or keys [rows, length, heads, size] of this batch.</summary>
    /// <param name="batch">Says where each token stands.</param>
    /// <param name="positions">Its positions as a tensor; null when every row starts at 0.</param>
    /// <param name="onHost">Whether <see cref="Rotation"/> computes it.</param>
    public Func<Tensor, Tensor> Turn(TokenBatch batch, Tensor? positions, bool onHost)
    {
        if (onHost)
        {
            var turns = new HostTurns(halfCosines, halfSines, width / 2, batch.Positions, batch.Length);
            return x => Rotation.Of(x, turns);
        }
        long rows = batch.Rows, length = batch.Length;
        var at = positions is null
            ? (cosines.narrow(0, 0, length).view(1, length, 1, width), sines.narrow(0, 0, length).view(1, length, 1, width))
            : (cosines.index_select(0, positions).view(rows, length, 1, width), sines.index_select(0, positions).view(rows, length, 1, width));
        return x => Rotate(x, at);
    }

    private static Tensor Rotate(Tensor x, (Tensor Cosine, Tensor Sine) at)
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

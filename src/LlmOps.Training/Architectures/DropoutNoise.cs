using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Architectures;

/// <summary>
/// Dropout (Srivastava et al. 2014) as a pure function of a seed and a place in the model: a resumed run, a recomputed layer and a training beside another one in
/// the same process all draw the same masks. The library's own dropout draws from one generator that the whole process shares.
/// </summary>
/// <param name="Seed">Of the step and the forward pass in it.</param>
internal sealed record DropoutNoise(int Seed)
{
    /// <summary>x with a share of its values set to zero and the others scaled up to keep the expectation.</summary>
    public Tensor Apply(Tensor x, double share, int place)
    {
        if (share == 0) return x;
        using var generator = new Generator(unchecked((uint)LengthBuckets.HashCodeOf(Seed, place)));
        Tensor kept = rand(x.shape, ScalarType.Float32, generator: generator).ge(share).to(x.device);
        return x * kept / (1 - share);
    }
}

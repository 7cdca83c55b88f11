using LlmOps.Engines.SmallModels;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.SmallModels;

/// <summary>Starting weights of small networks, a pure function of the seed.</summary>
internal static class StartingWeights
{
    /// <summary>
    /// Matrices and kernels from N(0, 2 / inputs) (He et al. 2015), biases 0, scales of norms 1. Layers named in <paramref name="zero"/> start at 0, which makes a
    /// residual block the identity and the output the best constant guess.
    /// </summary>
    public static void Fill(FlatParameters parameters, int seed, Func<string, bool>? zero = null)
    {
        foreach (var (index, shape) in parameters.Shapes.Index())
        {
            Span<float> target = parameters.ValuesOf(shape.Name);
            string layer = shape.Name[..shape.Name.LastIndexOf('.')];
            if (zero?.Invoke(layer) == true || shape.Name.EndsWith(".bias", StringComparison.Ordinal))
                target.Clear();
            else if (shape.Shape.Length == 1)
                target.Fill(1);
            else
            {
                new CounterRandom(seed, -1, index).Gaussian(target);
                float scale = MathF.Sqrt(2f / shape.Shape.Skip(1).Aggregate(1L, (a, b) => a * b));
                foreach (ref float value in target)
                    value *= scale;
            }
        }
    }
}

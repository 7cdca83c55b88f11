using System.Numerics;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.Optimizers;

/// <summary>
/// Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), in PyTorch's form, with penalties, both moments and the update in one pass:
/// m ← β₁m + (1 - β₁)g, v ← β₂v + (1 - β₂)g², w ← w - η·m/(1 - β₁ᵗ) / (√(v/(1 - β₂ᵗ)) + ε). AdamW first takes w ← (1 - ηλ)w; Adam adds λw to g.
/// </summary>
public sealed class FusedAdam : Optimizer
{
    private readonly FlatPass pass;
    private readonly OptimizerOptions options;

    /// <summary>Moments start at zero.</summary>
    /// <param name="parameters">Trainable parameters.</param>
    /// <param name="options">Kind Adam or AdamW.</param>
    public FusedAdam(FlatParameters parameters, OptimizerOptions options)
    {
        this.options = options;
        pass = new FlatPass(parameters);
        FirstMoment = new float[parameters.Count];
        SecondMoment = new float[parameters.Count];
    }

    /// <summary>Running mean of gradients, laid out as the parameters.</summary>
    public float[] FirstMoment { get; }

    /// <summary>Running mean of squared gradients, laid out as the parameters.</summary>
    public float[] SecondMoment { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, float[] Values)> State => [("first_moment", FirstMoment), ("second_moment", SecondMoment)];

    /// <inheritdoc/>
    public override void Step(int step, double learningRate, double gradientScale)
    {
        bool decoupled = options.Kind == OptimizerKind.AdamW;
        float beta1 = (float)options.Beta1, beta2 = (float)options.Beta2;
        float decay = decoupled ? (float)(1 - learningRate * options.WeightDecay) : 1;
        float stepSize = (float)(learningRate / (1 - Math.Pow(options.Beta1, step))), correction = (float)(1 / Math.Sqrt(1 - Math.Pow(options.Beta2, step)));
        var epsilon = new Vector<float>((float)options.Epsilon);
        pass.Run(new GradientTerms((float)gradientScale, decoupled ? 0 : (float)options.WeightDecay, (float)options.L1), block =>
        {
            Span<Vector<float>> p = block.Values, m = block.Of(FirstMoment), v = block.Of(SecondMoment);
            float kept = block.Decays ? decay : 1;
            for (int i = 0; i < p.Length; i++)
            {
                Vector<float> gradient = block.Gradient(i);
                Vector<float> mean = m[i] = m[i] * beta1 + gradient * (1 - beta1);
                Vector<float> square = v[i] = v[i] * beta2 + gradient * gradient * (1 - beta2);
                p[i] = p[i] * kept - mean * stepSize / (Vector.SquareRoot(square) * correction + epsilon);
            }
        });
    }
}

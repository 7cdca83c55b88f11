using System.Numerics;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.Optimizers;

/// <summary>
/// RMSprop (Hinton 2012) in PyTorch's form: v ← αv + (1 - α)g², w ← w - η·g/(√v + ε), with momentum b ← μb + g/(√v + ε) and w ← w - ηb. α is
/// <see cref="OptimizerOptions.Beta2"/>. Weight decay is an L2 penalty.
/// </summary>
public sealed class RmsProp : Optimizer
{
    private readonly FlatPass pass;
    private readonly OptimizerOptions options;
    private readonly float[] squares;
    private readonly float[] momentum;

    /// <summary>Averages start at zero and are not corrected for it: first steps are 1/√(1 - α) times as long.</summary>
    /// <param name="parameters">Trainable parameters.</param>
    /// <param name="options">Beta2, momentum and penalties.</param>
    public RmsProp(FlatParameters parameters, OptimizerOptions options)
    {
        this.options = options;
        pass = new FlatPass(parameters);
        squares = new float[parameters.Count];
        momentum = options.Momentum > 0 ? new float[parameters.Count] : [];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, float[] Values)> State => momentum.Length == 0 ? [("square_average", squares)] : [("square_average", squares), ("momentum", momentum)];

    /// <inheritdoc/>
    public override void Step(int step, double learningRate, double gradientScale)
    {
        float alpha = (float)options.Beta2, rate = (float)learningRate, mu = (float)options.Momentum;
        var epsilon = new Vector<float>((float)options.Epsilon);
        pass.Run(new GradientTerms((float)gradientScale, (float)options.WeightDecay, (float)options.L1), block =>
        {
            Span<Vector<float>> p = block.Values, v = block.Of(squares), b = momentum.Length == 0 ? [] : block.Of(momentum);
            for (int i = 0; i < p.Length; i++)
            {
                Vector<float> gradient = block.Gradient(i);
                Vector<float> square = v[i] = v[i] * alpha + gradient * gradient * (1 - alpha);
                Vector<float> move = gradient / (Vector.SquareRoot(square) + epsilon);
                if (b.Length > 0) move = b[i] = b[i] * mu + move;
                p[i] -= move * rate;
            }
        });
    }
}

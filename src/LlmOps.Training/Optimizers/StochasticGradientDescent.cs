using System.Numerics;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.Optimizers;

/// <summary>
/// Stochastic gradient descent in PyTorch's form: w ← w - ηg, with momentum b ← μb + g and w ← w - ηb, in Nesterov's form w ← w - η(g + μb). No dampening:
/// momentum μ makes steps 1/(1 - μ) times as long in the end. Weight decay is an L2 penalty.
/// </summary>
public sealed class StochasticGradientDescent : Optimizer
{
    private readonly FlatPass pass;
    private readonly OptimizerOptions options;
    private readonly float[] momentum;

    /// <summary>Momentum starts at zero.</summary>
    /// <param name="parameters">Trainable parameters.</param>
    /// <param name="options">Momentum, Nesterov and penalties.</param>
    public StochasticGradientDescent(FlatParameters parameters, OptimizerOptions options)
    {
        this.options = options;
        pass = new FlatPass(parameters);
        momentum = options.Momentum > 0 ? new float[parameters.Count] : [];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, float[] Values)> State => momentum.Length == 0 ? [] : [("momentum", momentum)];

    /// <inheritdoc/>
    public override void Step(int step, double learningRate, double gradientScale)
    {
        var terms = new GradientTerms((float)gradientScale, (float)options.WeightDecay, (float)options.L1);
        float rate = (float)learningRate, mu = (float)options.Momentum;
        if (momentum.Length == 0)
        {
            pass.Run(terms, block =>
            {
                Span<Vector<float>> p = block.Values;
                for (int i = 0; i < p.Length; i++) p[i] -= block.Gradient(i) * rate;
            });
            return;
        }
        bool nesterov = options.Nesterov;
        pass.Run(terms, block =>
        {
            Span<Vector<float>> p = block.Values, b = block.Of(momentum);
            for (int i = 0; i < p.Length; i++)
            {
                Vector<float> gradient = block.Gradient(i);
                Vector<float> moved = b[i] = b[i] * mu + gradient;
                p[i] -= (nesterov ? gradient + moved * mu : moved) * rate;
            }
        });
    }
}

using System.Numerics;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.Optimizers;

/// <summary>
/// Lion (Chen et al. 2023): w ← (1 - ηλ)w - η·sign(β₁m + (1 - β₁)g), then m ← β₂m + (1 - β₂)g. Every weight moves by η, so the learning rate is about a
/// tenth of AdamW's and the decay λ ten times as large. Half of Adam's memory.
/// </summary>
public sealed class Lion : Optimizer
{
    private readonly FlatPass pass;
    private readonly OptimizerOptions options;
    private readonly float[] momentum;

    /// <summary>Momentum starts at zero.</summary>
    /// <param name="parameters">Trainable parameters.</param>
    /// <param name="options">Both betas, decay and penalty.</param>
    public Lion(FlatParameters parameters, OptimizerOptions options)
    {
        this.options = options;
        pass = new FlatPass(parameters);
        momentum = new float[parameters.Count];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, float[] Values)> State => [("momentum", momentum)];

    /// <inheritdoc/>
    public override void Step(int step, double learningRate, double gradientScale)
    {
        float beta1 = (float)options.Beta1, beta2 = (float)options.Beta2, rate = (float)learningRate, decay = (float)(1 - learningRate * options.WeightDecay);
        pass.Run(new GradientTerms((float)gradientScale, 0, (float)options.L1), block =>
        {
            Span<Vector<float>> p = block.Values, m = block.Of(momentum);
            float kept = block.Decays ? decay : 1;
            for (int i = 0; i < p.Length; i++)
            {
                Vector<float> gradient = block.Gradient(i), before = m[i];
                p[i] = p[i] * kept - FlatBlock.Sign(before * beta1 + gradient * (1 - beta1)) * rate;
                m[i] = before * beta2 + gradient * (1 - beta2);
            }
        });
    }
}

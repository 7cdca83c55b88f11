using LlmOps.Engines.SmallModels;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Tests.SmallModels;

/// <summary>Compares libtorch's gradients with central differences, in double precision.</summary>
internal static class GradientCheck
{
    /// <summary>Checks a few values of every tensor of a model with random weights.</summary>
    public static void Run(SmallModelConfig config, Func<Dictionary<string, Tensor>, Tensor> loss)
    {
        using var scope = NewDisposeScope();
        var weights = config.Tensors().Index().ToDictionary(t => t.Item.Name, t => (Normal(100 + t.Index, t.Item.Shape) * 0.4).requires_grad_(true));
        loss(weights).backward();
        using var noGradient = no_grad();
        const double h = 1e-6;
        double largest = 0;
        foreach (var (name, weight) in weights)
        {
            Tensor gradient = weight.grad ?? throw new InvalidOperationException($"{name} has no gradient.");
            largest = Math.Max(largest, gradient.abs().max().item<double>());
            Tensor flat = weight.view(-1), flatGradient = gradient.view(-1);
            for (long i = 0; i < flat.shape[0]; i += Math.Max(1, flat.shape[0] / 4))
            {
                double at = flat[i].item<double>();
                double High(double value) { flat[i] = value; return loss(weights).item<double>(); }
                double numeric = (High(at + h) - High(at - h)) / (2 * h), exact = flatGradient[i].item<double>();
                flat[i] = at;
                Assert.True(Math.Abs(numeric - exact) <= 1e-6 * (1 + Math.Abs(exact)), $"{name}[{i}]: {exact} by autograd, {numeric} by differences");
            }
        }
        Assert.True(largest > 1e-3, "all gradients vanish, so nothing was compared");
    }

    public static Tensor Normal(int seed, params long[] shape)
    {
        var random = new CounterRandom(seed, 0, 0);
        return tensor(Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => random.NextGaussian()).ToArray(), shape);
    }

    public static Tensor Uniform(int seed, params long[] shape)
    {
        var random = new CounterRandom(seed, 0, 0);
        return tensor(Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => random.NextDouble()).ToArray(), shape);
    }
}

using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Architectures;

/// <summary>
/// Activation checkpointing (Chen et al. 2016): the forward pass keeps only the input, the backward pass computes the layer again from it. The layer must be
/// a pure function, dropout included (<see cref="DropoutNoise"/>). Gradients of the parameters arrive in their own buffers as always.
/// </summary>
internal sealed class Recomputed : autograd.SingleTensorFunction<Recomputed>
{
    /// <inheritdoc/>
    public override string Name => nameof(Recomputed);

    /// <summary>The layer's output. It must depend on nothing that changes before the backward pass.</summary>
    public static Tensor Run(Tensor x, Func<Tensor, Tensor> layer)
    {
        // Without an input that requires a gradient nothing would call the backward pass: frozen embeddings below an adapter are such an input.
        Tensor input = x.requires_grad ? x : x.detach().requires_grad_();
        return apply(input, layer);
    }

    /// <inheritdoc/>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, layer) = ((Tensor)vars[0], (Func<Tensor, Tensor>)vars[1]);
        ctx.save_for_backward([x]);
        ctx.save_data("layer", layer);
        // What lies between the layer's operations would otherwise live as long as the caller's scope: longer than without recomputation.
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        return layer(x).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        Tensor x = ctx.get_saved_variables()[0];
        var layer = (Func<Tensor, Tensor>)ctx.get_data("layer");
        using var scope = NewDisposeScope();
        using var gradient = enable_grad();
        Tensor input = x.detach().requires_grad_();
        autograd.backward([layer(input)], [grad_output]);
        return [input.grad!.MoveToOuterDisposeScope(), null!];
    }
}

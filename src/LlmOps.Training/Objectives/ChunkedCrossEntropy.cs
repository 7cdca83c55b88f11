using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Objectives;

/// <summary>
/// Cross-entropy of a linear head without its whole matrix of scores: -log softmax(h·Wᵀ)[label] a few rows at a time, and the same rows again in the backward
/// pass, where d loss / d score = softmax - one-hot. Memory is that of one chunk instead of tokens × vocabulary, twice.
/// </summary>
internal sealed class ChunkedCrossEntropy : autograd.SingleTensorFunction<ChunkedCrossEntropy>
{
    /// <inheritdoc/>
    public override string Name => nameof(ChunkedCrossEntropy);

    /// <summary>Loss of each row [n].</summary>
    /// <param name="hidden">[n, hidden].</param>
    /// <param name="head">[vocabulary, hidden].</param>
    /// <param name="labels">[n], int64.</param>
    /// <param name="rows">Rows of a chunk.</param>
    public static Tensor Of(Tensor hidden, Tensor head, Tensor labels, int rows) => apply(hidden, head, labels, rows);

    /// <inheritdoc/>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (hidden, head, labels, rows) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], (int)vars[3]);
        ctx.save_for_backward([hidden, head, labels]);
        ctx.save_data("rows", rows);
        // Below an adapter the head is frozen and its gradient is not worth a product.
        ctx.save_data("trains", head.requires_grad);
        using var noGradient = no_grad();
        Tensor losses = empty(hidden.shape[0], hidden.dtype, hidden.device);
        for (long start = 0; start < hidden.shape[0]; start += rows)
        {
            using var scope = NewDisposeScope();
            long count = Math.Min(rows, hidden.shape[0] - start);
            Tensor scores = hidden.narrow(0, start, count).matmul(head.t());
            Tensor own = scores.gather(1, labels.narrow(0, start, count).unsqueeze(1)).squeeze(1);
            losses.narrow(0, start, count).copy_(scores.logsumexp(-1) - own);
        }
        return losses;
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        var (hidden, head, labels, rows) = (saved[0], saved[1], saved[2], (int)ctx.get_data("rows"));
        using var noGradient = no_grad();
        Tensor ofHidden = empty_like(hidden);
        Tensor? ofHead = (bool)ctx.get_data("trains") ? zeros_like(head) : null;
        for (long start = 0; start < hidden.shape[0]; start += rows)
        {
            using var scope = NewDisposeScope();
            long count = Math.Min(rows, hidden.shape[0] - start);
            Tensor part = hidden.narrow(0, start, count);
            Tensor slope = part.matmul(head.t()).softmax(-1);
            slope.scatter_add_(1, labels.narrow(0, start, count).unsqueeze(1), full([count, 1], -1, hidden.dtype, hidden.device));
            slope.mul_(grad_output.narrow(0, start, count).unsqueeze(1));
            ofHidden.narrow(0, start, count).copy_(slope.matmul(head));
            ofHead?.add_(slope.t().matmul(part));
        }
        return [ofHidden, ofHead!, null!, null!];
    }
}

using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Architectures.Kernels;

/// <summary>Where documents lie among the tokens of a batch, and how heads are laid out.</summary>
/// <param name="Documents">First token and length of each document.</param>
/// <param name="Heads">Query heads; a multiple of <paramref name="KvHeads"/>.</param>
/// <param name="KvHeads">Key and value heads.</param>
/// <param name="Size">Values of a head, a multiple of the vector length.</param>
/// <param name="Scale">Factor of the scores before the softmax.</param>
internal sealed record AttentionShape(IReadOnlyList<(int Start, int Length)> Documents, int Heads, int KvHeads, int Size, double Scale);

/// <summary>
/// Causal attention inside each document: softmax(scale·QKᵀ + mask)·V. A mask over whole packed rows computes row length² scores for each head; here only those
/// of a token with itself and what stands before it in its document are computed, grouped heads share keys without copies, and tokens outside of documents get 0.
/// The backward pass computes the scores again from the saved log-sums (Dao et al. 2022).
/// </summary>
internal sealed class DocumentAttention : autograd.SingleTensorFunction<DocumentAttention>
{
    /// <summary>Longest document that is faster here than in libtorch's kernel, which works on tiles.</summary>
    public const int LongestDocument = 512;

    /// <inheritdoc/>
    public override string Name => nameof(DocumentAttention);

    /// <summary>Whether this computes such heads.</summary>
    public static bool Takes(Tensor q, int size) => HostKernel.Takes(q) && size % (q.dtype == ScalarType.Float32 ? Vector<float>.Count : Vector<double>.Count) == 0;

    /// <summary>Mixed values [tokens, heads · size].</summary>
    /// <param name="q">[tokens, heads, size], or tokens in two dimensions.</param>
    /// <param name="k">[tokens, kvHeads, size].</param>
    /// <param name="v">As <paramref name="k"/>.</param>
    /// <param name="shape">Documents and heads.</param>
    public static Tensor Of(Tensor q, Tensor k, Tensor v, AttentionShape shape) => apply(q, k, v, shape);

    /// <inheritdoc/>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (q, k, v, shape) = (((Tensor)vars[0]).contiguous(), ((Tensor)vars[1]).contiguous(), ((Tensor)vars[2]).contiguous(), (AttentionShape)vars[3]);
        using var noGradient = no_grad();
        long tokens = q.numel() / (shape.Heads * shape.Size);
        Tensor mixed = zeros([tokens, (long)shape.Heads * shape.Size], q.dtype);
        ctx.save_data("logSums", q.dtype == ScalarType.Float32 ? Forward<float>(q, k, v, mixed, shape) : Forward<double>(q, k, v, mixed, shape));
        ctx.save_for_backward([q, k, v, mixed]);
        ctx.save_data("shape", shape);
        return mixed;
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        var shape = (AttentionShape)ctx.get_data("shape");
        using var noGradient = no_grad();
        Tensor slope = grad_output.contiguous();
        Tensor[] slopes = [zeros_like(saved[0]), zeros_like(saved[1]), zeros_like(saved[2])];
        if (ctx.get_data("logSums") is float[] logSums) Backward(saved, slope, logSums, slopes, shape);
        else Backward(saved, slope, (double[])ctx.get_data("logSums"), slopes, shape);
        return HostKernel.Answer(saved, [.. slopes, null!]);
    }

    private static unsafe T[] Forward<T>(Tensor q, Tensor k, Tensor v, Tensor mixed, AttentionShape shape) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var logSums = new T[mixed.shape[0] * shape.Heads];
        nint queries = (nint)HostKernel.At<T>(q), keys = (nint)HostKernel.At<T>(k), values = (nint)HostKernel.At<T>(v), to = (nint)HostKernel.At<T>(mixed);
        HostKernel.ForParts(shape.Documents.Count * shape.KvHeads, 1, (unit, _, _) =>
        {
            var (start, length) = shape.Documents[unit / shape.KvHeads];
            int group = unit % shape.KvHeads, each = shape.Heads / shape.KvHeads;
            var work = new AttentionUnit<T>(shape, start, length, group, (T*)queries, (T*)keys, (T*)values);
            for (int head = group * each; head < (group + 1) * each; head++) work.Forward(head, (T*)to, logSums);
        });
        return logSums;
    }

    private static unsafe void Backward<T>(List<Tensor> saved, Tensor slope, T[] logSums, Tensor[] slopes, AttentionShape shape) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        nint queries = (nint)HostKernel.At<T>(saved[0]), keys = (nint)HostKernel.At<T>(saved[1]), values = (nint)HostKernel.At<T>(saved[2]), mixed = (nint)HostKernel.At<T>(saved[3]), by = (nint)HostKernel.At<T>(slope);
        nint ofQueries = (nint)HostKernel.At<T>(slopes[0]), ofKeys = (nint)HostKernel.At<T>(slopes[1]), ofValues = (nint)HostKernel.At<T>(slopes[2]);
        // Heads that share keys are one unit: their slopes add up in a fixed order and nobody else writes there.
        HostKernel.ForParts(shape.Documents.Count * shape.KvHeads, 1, (unit, _, _) =>
        {
            var (start, length) = shape.Documents[unit / shape.KvHeads];
            int group = unit % shape.KvHeads, each = shape.Heads / shape.KvHeads;
            var work = new AttentionUnit<T>(shape, start, length, group, (T*)queries, (T*)keys, (T*)values);
            for (int head = group * each; head < (group + 1) * each; head++)
                work.Backward(head, head == group * each, (T*)mixed, (T*)by, logSums, (T*)ofQueries, (T*)ofKeys, (T*)ofValues);
        });
    }
}

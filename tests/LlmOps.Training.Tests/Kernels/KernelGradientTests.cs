using LlmOps.Training.Architectures.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Tests.Kernels;

/// <summary>
/// Each fused operation against the same formula in libtorch's own operations (values and gradients, float64), against central differences, and float32 against
/// float64.
/// </summary>
public sealed class KernelGradientTests
{
    private static readonly (int, int)[] Documents = [(0, 5), (5, 1), (6, 9), (16, 23), (40, 3)];
    private const int Tokens = 44, Heads = 4, KvHeads = 2, Size = 8;

    public KernelGradientTests() => TorchRuntime.Start(2);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RmsNorm_IsItsFormula_AndSoAreItsGradients(bool addsOne)
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [Normal(1, 70, 11), Normal(2, 11)];
        Agree(inputs, [70, 11], x => RmsNorm.Of(x[0], x[1], 1e-3, addsOne), x => x[0] * (x[0].square().mean([-1], true) + 1e-3).rsqrt() * (addsOne ? x[1] + 1 : x[1]));
    }

    [Fact]
    public void GatedSilu_IsItsFormula_AndSoAreItsGradients()
    {
        using var scope = NewDisposeScope();
        Agree([Normal(3, 37, 29), Normal(4, 37, 29)], [37, 29], x => GatedSilu.Of(x[0], x[1]), x => nn.functional.silu(x[0]) * x[1]);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(3)]
    public void Rotation_TurnsPairs_AndItsGradientBack(int half)
    {
        using var scope = NewDisposeScope();
        long[] positions = [.. Enumerable.Range(0, 10).Select(i => (long)(i * 7 % 10))];
        float[] angles = [.. Enumerable.Range(0, 10 * half).Select(i => 0.3f * i)];
        var turns = new HostTurns([.. angles.Select(MathF.Cos)], [.. angles.Select(MathF.Sin)], half, positions, 10);
        // float32 tables, as the model has them, in both.
        Tensor Table(float[] values) => tensor(positions.SelectMany(p => values.AsSpan((int)p * half, half).ToArray().Select(v => (double)v)).ToArray(), [10, 1, half]);
        Tensor cosine = Table(turns.Cosines), sine = Table(turns.Sines);
        Agree([Normal(5, 10, 3, 9)], [10, 3, 9], x => Rotation.Of(x[0], turns), x =>
        {
            Tensor a = x[0].narrow(-1, 0, half), b = x[0].narrow(-1, half, half);
            return cat([a * cosine - b * sine, b * cosine + a * sine, x[0].narrow(-1, 2 * half, 9 - 2 * half)], -1);
        });
    }

    [Fact]
    public void DocumentAttention_IsMaskedAttention_AndSoAreItsGradients()
    {
        using var scope = NewDisposeScope();
        var shape = new AttentionShape(Documents, Heads, KvHeads, Size, 0.31);
        Agree([Normal(6, Tokens, Heads, Size), Normal(7, Tokens, KvHeads, Size), Normal(8, Tokens, KvHeads, Size)], [Tokens, Heads * Size],
            x => DocumentAttention.Of(x[0], x[1], x[2], shape), x => Masked(x[0], x[1], x[2], shape));
    }

    [Fact]
    public void TokensOutsideOfDocuments_GetAndGiveNothing()
    {
        using var scope = NewDisposeScope();
        var shape = new AttentionShape([(1, 2)], 1, 1, Size, 1);
        Tensor q = Normal(1, 4, 1, Size).requires_grad_(), k = Normal(2, 4, 1, Size).requires_grad_(), v = Normal(3, 4, 1, Size).requires_grad_();
        Tensor mixed = DocumentAttention.Of(q, k, v, shape);
        mixed.sum().backward();
        foreach (int outside in new[] { 0, 3 })
        {
            Assert.Equal(0, mixed[outside].abs().sum().item<double>());
            Assert.Equal(0, v.grad![outside].abs().sum().item<double>() + k.grad![outside].abs().sum().item<double>());
        }
        // The first token of a document sees only itself.
        Assert.Equal(v[1][0].data<double>().ToArray(), mixed[1].data<double>().ToArray());
    }

    [Fact]
    public void Threads_ChangeNothing()
    {
        using var scope = NewDisposeScope();
        var shape = new AttentionShape(Documents, Heads, KvHeads, Size, 0.31);
        float[] Gradients(int threads)
        {
            TorchRuntime.Start(threads);
            Tensor[] x = [.. new[] { Normal(6, Tokens, Heads, Size), Normal(7, Tokens, KvHeads, Size), Normal(8, Tokens, KvHeads, Size), Normal(9, Size * Heads) }.Select(t => t.to_type(ScalarType.Float32).requires_grad_())];
            RmsNorm.Of(DocumentAttention.Of(x[0], x[1], x[2], shape), x[3], 1e-5, false).square().sum().backward();
            return [.. x.SelectMany(t => t.grad!.data<float>().ToArray())];
        }
        Assert.Equal(Gradients(1), Gradients(2));
    }

    private static Tensor Masked(Tensor q, Tensor k, Tensor v, AttentionShape shape)
    {
        var mask = new double[Tokens, Tokens];
        var inside = new double[Tokens];
        for (int i = 0; i < Tokens; i++)
        {
            for (int j = 0; j < Tokens; j++) mask[i, j] = i == j || shape.Documents.Any(d => j >= d.Start && i < d.Start + d.Length && j <= i) ? 0 : double.NegativeInfinity;
            inside[i] = shape.Documents.Any(d => i >= d.Start && i < d.Start + d.Length) ? 1 : 0;
        }
        Tensor keys = k.repeat_interleave(Heads / KvHeads, 1).transpose(0, 1), values = v.repeat_interleave(Heads / KvHeads, 1).transpose(0, 1);
        Tensor scores = q.transpose(0, 1).matmul(keys.transpose(1, 2)) * shape.Scale + tensor(mask);
        return scores.softmax(-1).matmul(values).transpose(0, 1).reshape(Tokens, Heads * Size) * tensor(inside).unsqueeze(1);
    }

    private static Tensor Normal(long seed, params long[] shape)
    {
        using var generator = new Generator((ulong)seed);
        return randn(shape, ScalarType.Float64, generator: generator);
    }

    private static void Agree(Tensor[] inputs, long[] output, Func<Tensor[], Tensor> ours, Func<Tensor[], Tensor> formula)
    {
        Tensor weights = Normal(99, output);
        double[][] expected = Differentiate(inputs, weights, formula), computed = Differentiate(inputs, weights, ours);
        Near(expected, computed, 1e-10);
        Near(expected, Differentiate([.. inputs.Select(t => t.to_type(ScalarType.Float32))], weights.to_type(ScalarType.Float32), ours), 2e-5);
        const double h = 1e-6;
        for (int i = 0; i < inputs.Length; i++)
        {
            foreach (long at in new[] { 0, inputs[i].numel() / 2, inputs[i].numel() - 1 })
            {
                double At(double step)
                {
                    Tensor[] moved = [.. inputs.Select(t => t.clone())];
                    moved[i].view(-1)[at] += step;
                    return (ours(moved) * weights).sum().item<double>();
                }
                Assert.Equal((At(h) - At(-h)) / (2 * h), computed[i + 1][at], 1e-6);
            }
        }
    }

    private static double[][] Differentiate(Tensor[] inputs, Tensor weights, Func<Tensor[], Tensor> operation)
    {
        Tensor[] leaves = [.. inputs.Select(t => t.clone().requires_grad_())];
        Tensor y = operation(leaves);
        (y * weights).sum().backward();
        return [.. new[] { y }.Concat(leaves.Select(l => l.grad!)).Select(t => t.to_type(ScalarType.Float64).contiguous().data<double>().ToArray())];
    }

    private static void Near(double[][] expected, double[][] computed, double tolerance)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Length, computed[i].Length);
            for (int j = 0; j < expected[i].Length; j++) Assert.Equal(expected[i][j], computed[i][j], tolerance * Math.Max(1, Math.Abs(expected[i][j])));
        }
    }
}

using LlmOps.Training.Objectives;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Tests.Objectives;

public sealed class ChunkedCrossEntropyTests
{
    public ChunkedCrossEntropyTests() => TorchRuntime.Start(2);

    [Fact]
    public void LossesAndGradients_EqualTheWholeMatrix_ForEveryCut()
    {
        using var scope = NewDisposeScope();
        var generator = new Generator(3);
        Tensor hidden = randn([11, 6], ScalarType.Float64, generator: generator), head = randn([9, 6], ScalarType.Float64, generator: generator), weights = rand([11], ScalarType.Float64, generator: generator);
        Tensor labels = tensor(new long[] { 0, 8, 3, 3, 1, 7, 2, 5, 6, 4, 0 });
        var (losses, ofHidden, ofHead) = Differentiate(hidden, head, weights, (h, w) => nn.functional.cross_entropy(h.matmul(w.t()), labels, reduction: nn.Reduction.None));
        foreach (int rows in new[] { 1, 3, 11, 100 })
        {
            var (ours, oursHidden, oursHead) = Differentiate(hidden, head, weights, (h, w) => ChunkedCrossEntropy.Of(h, w, labels, rows));
            Assert.True(losses.Zip(ours).All(p => Math.Abs(p.First - p.Second) < 1e-12), $"{rows}");
            Assert.True(ofHidden.Zip(oursHidden).All(p => Math.Abs(p.First - p.Second) < 1e-12), $"{rows}");
            Assert.True(ofHead.Zip(oursHead).All(p => Math.Abs(p.First - p.Second) < 1e-12), $"{rows}");
        }
    }

    [Fact]
    public void Gradients_EqualFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var generator = new Generator(4);
        Tensor hidden = randn([5, 4], ScalarType.Float64, generator: generator), head = randn([7, 4], ScalarType.Float64, generator: generator), weights = rand([5], ScalarType.Float64, generator: generator);
        Tensor labels = tensor(new long[] { 6, 0, 2, 2, 5 });
        var (_, ofHidden, ofHead) = Differentiate(hidden, head, weights, (h, w) => ChunkedCrossEntropy.Of(h, w, labels, 2));
        double At(Tensor h, Tensor w) => (ChunkedCrossEntropy.Of(h, w, labels, 2) * weights).sum().item<double>();
        const double step = 1e-6;
        for (int i = 0; i < 20; i++)
        {
            Tensor one = zeros([5, 4], ScalarType.Float64);
            one.flatten()[i] = step;
            Assert.Equal((At(hidden + one, head) - At(hidden - one, head)) / (2 * step), ofHidden[i], 1e-7);
        }
        for (int i = 0; i < 28; i++)
        {
            Tensor one = zeros([7, 4], ScalarType.Float64);
            one.flatten()[i] = step;
            Assert.Equal((At(hidden, head + one) - At(hidden, head - one)) / (2 * step), ofHead[i], 1e-7);
        }
    }

    private static (double[] Losses, double[] OfHidden, double[] OfHead) Differentiate(Tensor hidden, Tensor head, Tensor weights, Func<Tensor, Tensor, Tensor> loss)
    {
        Tensor h = hidden.clone().requires_grad_(), w = head.clone().requires_grad_();
        Tensor each = loss(h, w);
        (each * weights).sum().backward();
        return (each.data<double>().ToArray(), h.grad!.data<double>().ToArray(), w.grad!.data<double>().ToArray());
    }
}

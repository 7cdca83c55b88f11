using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using TorchSharp;

namespace LlmOps.Training.Tests;

public sealed class PrecisionTests
{
    public PrecisionTests() => TorchRuntime.Start(2);

    [Fact]
    public void AProductInBFloat16_DiffersByItsRoundingOnly_AndItsGradientsAreFloat32()
    {
        using var scope = torch.NewDisposeScope();
        torch.Tensor x = torch.randn([64, 96], generator: new torch.Generator(1)), w = torch.randn([48, 96], generator: new torch.Generator(2)).requires_grad_(true);

        torch.Tensor exact = Product.Of(x, w, Precision.Float32), rounded = Product.Of(x, w, Precision.BFloat16);
        rounded.square().sum().backward();
        torch.Tensor expected = (2 * exact).t().matmul(x).detach();

        // Factors are rounded to 8 bits: a relative error of up to 2^-8 each, and of the result.
        Assert.InRange(((rounded - exact).norm() / exact.norm()).item<float>(), 1e-4f, 1f / 128);
        Assert.Equal(torch.float32, w.grad!.dtype);
        Assert.InRange(((w.grad - expected).norm() / expected.norm()).item<float>(), 1e-4f, 1f / 64);
    }

    [Fact]
    public void ATrainingInBFloat16_EndsWhereOneInFloat32Does()
    {
        Assert.SkipUnless(Product.BFloat16IsFast, "This processor has no AVX512-BF16.");
        using var tiny = new TinyModel();
        double Loss(Precision precision) => new Pretraining
        {
            HiddenSize = 32, Layers = 2, Heads = 4, KvHeads = 2, Intermediate = 48, ContextLength = 32, BatchSize = 4, Epochs = 40, Threads = 2, Precision = precision,
        }.Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("target" + precision), tiny.At("work" + precision), ct: TestContext.Current.CancellationToken).FinalLoss;

        double exact = Loss(Precision.Float32), rounded = Loss(Precision.BFloat16);

        Assert.NotEqual(exact, rounded);
        Assert.InRange(rounded, exact * 0.95, exact * 1.05);
    }

    [Fact]
    public void ReferencesOfTwoPrecisions_AreNotKeptUnderOneName()
    {
        using var tiny = new TinyModel();
        using CausalLanguageModel model = tiny.Load();
        TokenSequence[] sequences = [new([1, 5, 6, 7], 1)];

        Assert.Equal(1, ReferenceLogProbabilities.Of(model, sequences, "w", tiny.At("cache"), TestContext.Current.CancellationToken).ForwardPasses);
        Assert.Equal(0, ReferenceLogProbabilities.Of(model, sequences, "w", tiny.At("cache"), TestContext.Current.CancellationToken).ForwardPasses);
        model.Precision = Precision.BFloat16;
        Assert.Equal(1, ReferenceLogProbabilities.Of(model, sequences, "w", tiny.At("cache"), TestContext.Current.CancellationToken).ForwardPasses);
    }
}

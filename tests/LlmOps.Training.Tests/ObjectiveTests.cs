using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using TorchSharp;

namespace LlmOps.Training.Tests;

public sealed class ObjectiveTests
{
    public ObjectiveTests() => TorchRuntime.Start(2);

    [Fact]
    public void LogProbabilities_AreUniform_WhenAllWeightsAreZero()
    {
        using var scope = torch.NewDisposeScope();
        using var model = new CausalLanguageModel(TinyModel.Config(50), trainable: false);
        TokenBatch batch = TokenBatch.OfSequences([new TokenSequence([1, 7, 8, 9], 2), new TokenSequence([1, 5], 1)], padId: 0);

        float[] rows = TokenLogProbabilities.PerRow(model, batch).data<float>().ToArray();

        Assert.Equal(-2 * Math.Log(50), rows[0], 5);
        Assert.Equal(-Math.Log(50), rows[1], 5);
    }

    [Fact]
    public void LogProbabilities_OfAPackedRow_EqualThoseOfItsDocumentsAlone()
    {
        using var scope = torch.NewDisposeScope();
        using var model = new CausalLanguageModel(TinyModel.Config(50), trainable: false);
        model.Initialize(seed: 3, std: 0.5);
        int[] first = [1, 7, 8, 9, 2], second = [1, 30, 31, 2], third = [1, 40, 41, 42, 43, 2];

        float[] packed = TokenLogProbabilities.Of(model, TokenBatch.OfPacked([[first, second], [third]], length: 12, padId: 0)).data<float>().ToArray();
        float[] alone = [.. new[] { first, second, third }.SelectMany(d => TokenLogProbabilities.Of(model, TokenBatch.OfSequences([new TokenSequence(d, 1)], 0)).data<float>().ToArray())];

        Assert.Equal(alone.Length, packed.Length);
        for (int i = 0; i < alone.Length; i++) Assert.Equal(alone[i], packed[i], 1e-5f);
    }

    [Fact]
    public void Packing_KeepsEveryToken_AndFillsRows()
    {
        var random = new Random(1);
        int[][] documents = [.. Enumerable.Range(0, 500).Select(i => Enumerable.Repeat(i, random.Next(5, 60)).ToArray())];

        List<List<int[]>> rows = DocumentPacking.Pack(documents, 128);

        Assert.All(rows, row => Assert.InRange(row.Sum(d => d.Length), 2, 128));
        Assert.Equal(documents.Sum(d => (long)d.Sum()), rows.Sum(row => row.Sum(d => (long)d.Sum())));
        Assert.True(documents.Sum(d => d.Length) > 0.95 * 128 * rows.Count);
    }
}

using LlmOps.Engines.Reference;
using LlmOps.TestKit;
using LlmOps.Training;
using LlmOps.Worker;

namespace LlmOps.Web.Tests.Worker;

/// <summary>What an export is compared with, and what an evaluation of a checkpoint runs.</summary>
public sealed class CheckpointModelTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("llmops-checkpoint-").FullName;

    [Theory]
    [InlineData("gpt2")]
    [InlineData("qwen2")]
    [InlineData("gemma2")]
    public void Load_ComputesOtherFamiliesInLibtorch_AsTheReferenceDoes(string family)
    {
        TinyFamilies.Write(root, family);
        using var loaded = CheckpointModel.Load(root);
        using var reference = ReferenceDecoder.Load(root);

        Assert.IsType<TorchCausalModel>(loaded);
        var random = new Random(4);
        int[] tokens = [.. Enumerable.Range(0, 60).Select(_ => random.Next(reference.VocabularySize))];
        float[][] batch = loaded.Logits([tokens, tokens[..9]]);
        foreach (var (actual, expected) in batch.Zip([reference.Logits([tokens])[0], reference.Logits([tokens[..9]])[0]]))
        {
            Assert.Equal(expected.Length, actual.Length);
            Assert.True(expected.Max() - expected.Min() > 0.1, "Logits that do not differ would agree with anything.");
            Assert.InRange(expected.Zip(actual).Max(p => Math.Abs(p.First - p.Second)), 0, 1e-4);
        }
    }

    public void Dispose() => Directory.Delete(root, recursive: true);
}

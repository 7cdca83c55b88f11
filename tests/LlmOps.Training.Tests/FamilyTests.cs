using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Reference;
using LlmOps.TestKit;
using LlmOps.Training.Adapters;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using LlmOps.Training.Optimizers;
using TorchSharp;

namespace LlmOps.Training.Tests;

/// <summary>Every family that the model engine reads, in each form that <see cref="TinyFamilies"/> has of it.</summary>
public sealed class FamilyTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("llmops-families-").FullName;

    public static TheoryData<string> Families => [.. TinyFamilies.All.Keys];

    public FamilyTests() => TorchRuntime.Start(2);

    [Theory, MemberData(nameof(Families))]
    public void Logits_EqualThoseOfTheReference_BelowAndBeyondWindowsAndStretches(string family)
    {
        string folder = Write(family);
        using var reference = ReferenceDecoder.Load(folder);
        using TorchCausalModel model = TorchCausalModel.Load(folder, 2);
        foreach (int length in new[] { 5, 50, 120 })
        {
            int[] tokens = Tokens(model.VocabularySize, length);
            float[] expected = reference.Logits([tokens])[0], actual = model.Logits([tokens])[0];
            Assert.True(expected.Zip(actual).Max(p => Math.Abs(p.First - p.Second)) <= 2e-4 * Math.Max(1, expected.Max(Math.Abs)), $"{family}, {length} tokens");
        }
    }

    [Theory, MemberData(nameof(Families))]
    public void ATrainedModel_IsReadBackByTheEngines(string family)
    {
        string folder = Write(family);
        using CausalLanguageModel model = ModelFolder.Load(folder, trainable: true);
        var optimizer = Optimizer.Create(new OptimizerOptions(), model.Parameters);
        TokenBatch batch = Batch(model.Config.VocabSize, 20);
        double[] losses = [.. Enumerable.Range(1, 8).Select(step =>
        {
            using var scope = torch.NewDisposeScope();
            model.Parameters.ClearGradients();
            torch.Tensor loss = -TokenLogProbabilities.Of(model, batch).mean();
            loss.backward();
            // Nothing in a family is left out of the backward pass; only places beyond the sequence have no gradient.
            Assert.All(model.Parameters.Shapes, s => Assert.True(model.Parameters[s.Name].grad!.abs().sum().item<float>() > 0, s.Name));
            optimizer.Step(step, 3e-3, 1);
            return (double)loss.item<float>();
        })];
        Assert.True(losses[^1] < 0.9 * losses[0], $"{family}: {losses[0]} to {losses[^1]}");

        string saved = Path.Combine(root, family + "-trained");
        ModelFolder.Save(model, saved);
        int[] tokens = Tokens(model.Config.VocabSize, 20);
        using var reference = ReferenceDecoder.Load(saved);
        float[] expected = reference.Logits([tokens])[0];
        float[] actual = Logits(model, tokens);
        Assert.True(expected.Zip(actual).Max(p => Math.Abs(p.First - p.Second)) <= 2e-4 * Math.Max(1, expected.Max(Math.Abs)));
    }

    [Theory]
    [InlineData("mistral")]
    [InlineData("gemma2")]
    [InlineData("gpt2")]
    [InlineData("phi3")]
    public void PackedDocuments_AreScoredAsIfEachStoodAlone(string family)
    {
        using CausalLanguageModel model = ModelFolder.Load(Write(family), trainable: false);
        int[] first = Tokens(model.Config.VocabSize, 24), second = [.. Tokens(model.Config.VocabSize, 40).Skip(24)];
        using var scope = torch.NewDisposeScope();

        float[] packed = TokenLogProbabilities.Of(model, TokenBatch.OfPacked([[first, second]], 48, 0)).data<float>().ToArray();
        float[] alone = [.. TokenLogProbabilities.Of(model, TokenBatch.OfSequences([new TokenSequence(first, 1)], 0)).data<float>(), .. TokenLogProbabilities.Of(model, TokenBatch.OfSequences([new TokenSequence(second, 1)], 0)).data<float>()];

        Assert.Equal(alone.Length, packed.Length);
        Assert.True(alone.Zip(packed).Max(p => Math.Abs(p.First - p.Second)) <= 2e-4);
    }

    [Theory]
    [InlineData("qwen3", 0.0)]
    [InlineData("gpt2", 0.2)]
    [InlineData("gemma2", 0.2)]
    public void RecomputedActivations_GiveTheSameGradients(string family, double dropout)
    {
        string folder = Write(family);
        float[] Gradients(bool recompute)
        {
            using CausalLanguageModel model = ModelFolder.Load(folder, trainable: true);
            (model.Dropout, model.RecomputeActivations) = (dropout, recompute);
            using var scope = torch.NewDisposeScope();
            model.BeginStep(5);
            (-TokenLogProbabilities.Of(model, Batch(model.Config.VocabSize, 30)).sum()).backward();
            return model.Parameters.Gradients.ToArray();
        }

        float[] kept = Gradients(false), again = Gradients(true);

        float greatest = kept.Max(Math.Abs);
        Assert.True(greatest > 0);
        Assert.True(kept.Zip(again).Max(p => Math.Abs(p.First - p.Second)) <= 1e-5 * greatest);
    }

    [Fact]
    public void Dropout_ActsInTrainingOnly()
    {
        using CausalLanguageModel model = ModelFolder.Load(Write("llama"), trainable: true);
        int[] tokens = Tokens(model.Config.VocabSize, 12);
        float[] plain = Logits(model, tokens);
        model.Dropout = 0.5;

        Assert.Equal(plain, Logits(model, tokens));
        using var scope = torch.NewDisposeScope();
        float[] dropped = model.Logits(model.Hidden(TokenBatch.OfSequences([new TokenSequence(tokens, 1)], 0))).data<float>().ToArray();
        Assert.True(plain.Zip(dropped).Max(p => Math.Abs(p.First - p.Second)) > 1e-3);
    }

    [Theory, MemberData(nameof(Families))]
    public void AdaptersOfEveryKind_StartAsTheBase_AndMergeInMemoryAndInFilesAlike(string family)
    {
        string folder = Write(family);
        int[] tokens = Tokens(100, 20);
        foreach (var (index, options) in new[] { new AdapterOptions(4, 8), new AdapterOptions(4, 8) { RankStabilised = true }, new AdapterOptions(4, 8) { Dora = true } }.Index())
        {
            using CausalLanguageModel model = ModelFolder.Load(folder, trainable: false);
            float[] plain = Logits(model, tokens);
            using var adapter = new LoraAdapter(model, options);
            model.Adapter = adapter;
            float[] fresh = Logits(model, tokens);
            // Without DoRA nothing is added but zeros; with it the lengths divide by themselves.
            Assert.True(plain.Zip(fresh).Max(p => Math.Abs(p.First - p.Second)) <= (options.Dora ? 1e-4 : 0), $"{family} {options}");
            var random = new Random(3);
            foreach (ParameterShape shape in adapter.Parameters.Shapes.Where(s => !s.Name.EndsWith("lora_A", StringComparison.Ordinal)))
                foreach (ref float value in adapter.Parameters.ValuesOf(shape.Name)) value += 0.05f * (random.NextSingle() - 0.5f);
            float[] applied = Logits(model, tokens);
            Assert.True(plain.Zip(applied).Max(p => Math.Abs(p.First - p.Second)) > 1e-3, $"{family} {options}");

            string saved = Path.Combine(root, $"{family}-adapter-{index}"), merged = Path.Combine(root, $"{family}-merged-{index}");
            adapter.Save(saved);
            new LoraMerge().Run(folder, saved, merged, ct: TestContext.Current.CancellationToken);
            adapter.MergeInto(model);
            model.Adapter = null;
            using CausalLanguageModel fromFiles = ModelFolder.Load(merged, trainable: false);

            foreach (float[] other in new[] { Logits(model, tokens), Logits(fromFiles, tokens) })
                Assert.True(applied.Zip(other).Max(p => Math.Abs(p.First - p.Second)) <= 1e-4 * Math.Max(1, applied.Max(Math.Abs)), $"{family} {options}");
            using CausalLanguageModel again = ModelFolder.Load(folder, trainable: false);
            using var loaded = new LoraAdapter(again, options);
            loaded.Load(saved);
            Assert.Equal(adapter.Parameters.Values.ToArray(), loaded.Parameters.Values.ToArray());
        }
    }

    [Fact]
    public void Dora_EqualsTheFormulaByHand()
    {
        using CausalLanguageModel model = ModelFolder.Load(Write("llama"), trainable: false);
        using var adapter = new LoraAdapter(model, new AdapterOptions(1, 3) { Dora = true, TargetModules = ["q_proj"] });
        string name = model.LinearLayers[0].Name;
        using var scope = torch.NewDisposeScope();
        // W = [[3, 4], [0, 2]], A = [[1, 2]], B = [[2], [0]], s = 3: W + sBA = [[9, 16], [0, 2]] with row lengths √337 and 2; m = [10, 7].
        torch.Tensor weight = torch.tensor(new float[] { 3, 4, 0, 2 }, [2, 2]), x = torch.tensor(new float[] { 1, 1 }, [1, 2]);
        float[] row = Dora(weight, x, torch.tensor(new float[] { 1, 2 }, [1, 2]), torch.tensor(new float[] { 2, 0 }, [2, 1]), torch.tensor(new float[] { 10, 7 }), 3);

        Assert.Equal(10 * 25 / Math.Sqrt(337), row[0], 5);
        Assert.Equal(7, row[1], 5);
        Assert.Equal(Math.Sqrt(Lengths(model, name)[0]), adapter.Parameters.ValuesOf(name + ".lora_magnitude")[0], 5);
    }

    public void Dispose() => Directory.Delete(root, recursive: true);

    private static float[] Dora(torch.Tensor weight, torch.Tensor x, torch.Tensor a, torch.Tensor b, torch.Tensor length, double scale)
        => ((x.matmul(weight.t()) + x.matmul(a.t()).matmul(b.t()) * scale) * LoraAdapter.LengthFactor(weight, a, b, length, scale)).data<float>().ToArray();

    private static double[] Lengths(CausalLanguageModel model, string name)
    {
        ParameterShape shape = model.Parameters.Shapes.Single(s => s.Name == name);
        float[] values = model.Parameters.ValuesOf(name).ToArray();
        return [.. values.Chunk((int)shape.Shape[1]).Select(row => row.Sum(v => (double)v * v))];
    }

    private string Write(string family)
    {
        string folder = Path.Combine(root, family);
        TinyFamilies.Write(folder, family);
        return folder;
    }

    private static int[] Tokens(int vocabulary, int length)
    {
        var random = new Random(11);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(3, vocabulary))];
    }

    private static TokenBatch Batch(int vocabulary, int length) => TokenBatch.OfSequences([new TokenSequence(Tokens(vocabulary, length), 1), new TokenSequence(Tokens(vocabulary, length + 9)[9..], 1)], 0);

    private static float[] Logits(CausalLanguageModel model, int[] tokens)
    {
        using var noGradient = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        return model.Logits(model.Hidden(TokenBatch.OfSequences([new TokenSequence(tokens, 1)], 0))).data<float>().ToArray();
    }
}

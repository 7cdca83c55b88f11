using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Adapters;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;

namespace LlmOps.Training.Tests;

public sealed class ArchitectureTests
{
    [Fact]
    public void Forward_EqualsTheFormulasWrittenOutInDouble()
    {
        TorchRuntime.Start(2);
        using var scope = torch.NewDisposeScope();
        using var model = new CausalLanguageModel(TinyModel.Config(50), trainable: false);
        model.Initialize(seed: 2, std: 0.4);
        int[] tokens = [1, 3, 20, 33, 49, 8, 8, 2];

        float[] actual = model.Logits(model.Hidden(TokenBatch.OfSequences([new TokenSequence(tokens, 1)], 0))).data<float>().ToArray();
        double[][] expected = Reference(model, tokens);

        for (int t = 0; t < tokens.Length; t++)
        {
            for (int v = 0; v < 50; v++) Assert.Equal(expected[t][v], actual[t * 50 + v], 2e-5);
        }
    }

    [Fact]
    public void Parameters_CarryTheNamesOfHuggingFaceCheckpoints()
    {
        TorchRuntime.Start(2);
        using var model = new CausalLanguageModel(TinyModel.Config(50), trainable: false);

        Assert.Equal(DecoderTensors.Expected(model.Config).Select(t => t.Name).Order(), model.Parameters.Shapes.Select(s => s.Name).Order());
        Assert.Contains("model.layers.1.self_attn.k_proj.weight", model.Parameters.Shapes.Select(s => s.Name));
    }

    [Fact]
    public void SavedModel_GivesTheSameLogits_WhenLoaded()
    {
        using var tiny = new TinyModel();
        int[] tokens = tiny.Tokenizer.Encode("a large body");
        using TorchCausalModel first = TorchCausalModel.Load(tiny.Folder);
        using (CausalLanguageModel copy = tiny.Load()) ModelFolder.Save(copy, tiny.At("copy"));
        using TorchCausalModel second = TorchCausalModel.Load(tiny.At("copy"));

        Assert.Equal(first.Logits([tokens])[0], second.Logits([tokens])[0]);
        Assert.Equal(tokens.Length * first.VocabularySize, first.Logits([tokens])[0].Length);
    }

    [Fact]
    public void Logits_OfABatch_EqualThoseOfEachSequenceAlone()
    {
        using var tiny = new TinyModel();
        using TorchCausalModel model = TorchCausalModel.Load(tiny.Folder);
        int[] longer = tiny.Tokenizer.Encode("a tall plant with a wooden trunk"), shorter = tiny.Tokenizer.Encode("a bird");

        float[][] together = model.Logits([shorter, longer]);

        float[] alone = model.Logits([shorter])[0];
        for (int i = 0; i < alone.Length; i++) Assert.Equal(alone[i], together[0][i], 1e-4f);
    }

    [Fact]
    public void FreshAdapter_LeavesTheOutputAsItIs_AndMergingEqualsApplying()
    {
        using var tiny = new TinyModel();
        using var scope = torch.NewDisposeScope();
        using CausalLanguageModel model = tiny.Load();
        TokenBatch batch = TokenBatch.OfSequences([new TokenSequence(tiny.Tokenizer.Encode("a person who teaches"), 1)], 0);
        float[] plain = model.Logits(model.Hidden(batch)).data<float>().ToArray();
        using var adapter = new LoraAdapter(model, new AdapterOptions(4, 8) { Seed = 1 });

        model.Adapter = adapter;
        Assert.Equal(plain, model.Logits(model.Hidden(batch)).data<float>().ToArray());

        var random = new Random(3);
        foreach (ParameterShape shape in adapter.Parameters.Shapes.Where(s => s.Name.EndsWith("lora_B", StringComparison.Ordinal)))
        {
            foreach (ref float value in adapter.Parameters.ValuesOf(shape.Name)) value = 0.02f * (random.NextSingle() - 0.5f);
        }
        float[] applied = model.Logits(model.Hidden(batch)).data<float>().ToArray();
        adapter.MergeInto(model);
        model.Adapter = null;
        float[] merged = model.Logits(model.Hidden(batch)).data<float>().ToArray();

        Assert.True(applied.Zip(plain).Max(p => Math.Abs(p.First - p.Second)) > 1e-3);
        Assert.True(applied.Zip(merged).Max(p => Math.Abs(p.First - p.Second)) <= 1e-5);
    }

    [Fact]
    public void Save_WritesAPeftFolder_ThatMergesIntoTheFilesAsTheTrainerMergesInMemory()
    {
        using var tiny = new TinyModel();
        using CausalLanguageModel model = tiny.Load();
        using var adapter = new LoraAdapter(model, new AdapterOptions(4, 6) { TargetModules = ["q_proj", "down_proj"], Seed = 1 });
        var random = new Random(3);
        foreach (ParameterShape shape in adapter.Parameters.Shapes)
            foreach (ref float value in adapter.Parameters.ValuesOf(shape.Name)) value = 0.2f * (random.NextSingle() - 0.5f);
        string saved = Path.Combine(tiny.Folder, "adapter"), merged = Path.Combine(tiny.Folder, "merged");

        adapter.Save(saved);
        LoraMergeReport report = new LoraMerge().Run(tiny.Folder, saved, merged, ct: TestContext.Current.CancellationToken);
        adapter.MergeInto(model);

        Assert.Equal(adapter.Parameters.Shapes.Count / 2, report.Merged);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(merged, "model.safetensors"));
        foreach (ParameterShape shape in model.Parameters.Shapes)
            Assert.True(file.ReadFloat32(shape.Name).Zip(model.Parameters.ValuesOf(shape.Name).ToArray()).Max(p => Math.Abs(p.First - p.Second)) <= 1e-6, shape.Name);
        Assert.True(report.LargestChange > 1e-3);
    }

    private static double[][] Reference(CausalLanguageModel model, int[] tokens)
    {
        ModelConfig c = model.Config;
        int n = tokens.Length, size = c.HeadDim;
        double[] Weight(string name) => [.. model.Parameters.ValuesOf(name).ToArray().Select(v => (double)v)];
        double[] Project(double[] x, string name)
        {
            double[] w = Weight(name);
            return [.. Enumerable.Range(0, w.Length / x.Length).Select(o => Enumerable.Range(0, x.Length).Sum(i => w[o * x.Length + i] * x[i]))];
        }
        double[] Norm(double[] x, string name)
        {
            double[] g = Weight(name);
            double factor = 1 / Math.Sqrt(x.Sum(v => v * v) / x.Length + c.RmsNormEps);
            return [.. x.Select((v, i) => v * factor * g[i])];
        }
        double[] Turn(double[] x, int position)
        {
            var y = (double[])x.Clone();
            for (int h = 0; h < x.Length / size; h++)
            {
                for (int i = 0; i < size / 2; i++)
                {
                    double angle = position * Math.Pow(c.RopeTheta, -2.0 * i / size), a = x[h * size + i], b = x[h * size + i + size / 2];
                    y[h * size + i] = a * Math.Cos(angle) - b * Math.Sin(angle);
                    y[h * size + i + size / 2] = b * Math.Cos(angle) + a * Math.Sin(angle);
                }
            }
            return y;
        }
        double[] embedding = Weight("model.embed_tokens.weight");
        double[][] x = [.. tokens.Select(t => embedding[(t * c.HiddenSize)..((t + 1) * c.HiddenSize)])];
        for (int layer = 0; layer < c.NumHiddenLayers; layer++)
        {
            string p = $"model.layers.{layer}.";
            double[][] h = [.. x.Select(v => Norm(v, p + "input_layernorm.weight"))];
            double[][] q = [.. h.Select((v, t) => Turn(Project(v, p + "self_attn.q_proj.weight"), t))], k = [.. h.Select((v, t) => Turn(Project(v, p + "self_attn.k_proj.weight"), t))];
            double[][] values = [.. h.Select(v => Project(v, p + "self_attn.v_proj.weight"))];
            for (int t = 0; t < n; t++)
            {
                var mixed = new double[c.NumAttentionHeads * size];
                for (int head = 0; head < c.NumAttentionHeads; head++)
                {
                    int shared = head / (c.NumAttentionHeads / c.NumKeyValueHeads);
                    double[] scores = [.. Enumerable.Range(0, t + 1).Select(s => Math.Exp(Enumerable.Range(0, size).Sum(i => q[t][head * size + i] * k[s][shared * size + i]) / Math.Sqrt(size)))];
                    for (int i = 0; i < size; i++) mixed[head * size + i] = Enumerable.Range(0, t + 1).Sum(s => scores[s] * values[s][shared * size + i]) / scores.Sum();
                }
                x[t] = [.. x[t].Zip(Project(mixed, p + "self_attn.o_proj.weight"), (a, b) => a + b)];
                double[] m = Norm(x[t], p + "post_attention_layernorm.weight");
                double[] gated = [.. Project(m, p + "mlp.gate_proj.weight").Zip(Project(m, p + "mlp.up_proj.weight"), (g, u) => g / (1 + Math.Exp(-g)) * u)];
                x[t] = [.. x[t].Zip(Project(gated, p + "mlp.down_proj.weight"), (a, b) => a + b)];
            }
        }
        return [.. x.Select(v => Project(Norm(v, "model.norm.weight"), "model.embed_tokens.weight"))];
    }
}

using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;

namespace LlmOps.TestKit;

/// <summary>Random Llama checkpoints that run in milliseconds and still have every part: grouped heads, rotary positions, tied or untied head.</summary>
public static class TinyModels
{
    /// <summary>head_dim 16 with full rotary is the smallest that ONNX Runtime's attention takes.</summary>
    public static ModelConfig Config(bool tied = true, int context = 96) => new()
    {
        VocabSize = 304, HiddenSize = 64, IntermediateSize = 160, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2, HeadDim = 16,
        MaxPositionEmbeddings = context, RmsNormEps = 1e-5, RopeTheta = 10000, TieWordEmbeddings = tied,
        BosTokenId = 1, EosTokenId = 2, PadTokenId = 0,
    };

    /// <summary>Writes config.json, model.safetensors and a tokenizer; the same seed gives the same weights.</summary>
    public static ModelConfig WriteLlama(string folder, int seed = 1, bool tied = true, int context = 96)
    {
        return Write(folder, Config(tied, context), seed);
    }

    /// <summary>The same for any configuration; norm weights are around what leaves a value as it is.</summary>
    public static ModelConfig Write(string folder, ModelConfig config, int seed)
    {
        Directory.CreateDirectory(folder);
        config.Write(folder);
        var random = new Random(seed);
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, "model.safetensors"),
            DecoderTensors.Expected(config).Select(t => (t.Name, t.Shape, Values(random, t.Name, t.Shape, config.Family.NormAddsOne))).ToList());
        Tokenizer().Save(folder);
        return config;
    }

    /// <summary>A byte-level tokenizer of at most 304 tokens, trained on a few sentences.</summary>
    public static Tokenizer Tokenizer() => new BpeTrainer(VocabularySize: 304, MinFrequency: 2).Train(
    [
        "a small dog is a young dog", "the quick brown fox jumps over the lazy dog", "a word is a unit of language",
        "to define a word is to say what the word means", "the meaning of the word is in the language of the people",
    ]);

    // Norms around one; matrices scaled by their width, so that activations and logits keep the size of a trained model's.
    private static float[] Values(Random random, string name, long[] shape, bool normAddsOne)
    {
        var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
        var bias = name.EndsWith(".bias", StringComparison.Ordinal);
        var norm = shape.Length == 1 && !bias;
        var scale = name.Contains("embed", StringComparison.Ordinal) || name.Contains("wte", StringComparison.Ordinal) || name.Contains("wpe", StringComparison.Ordinal) ? 0.3
            : bias ? 0.2 : 1 / Math.Sqrt(name.Contains(".c_", StringComparison.Ordinal) ? shape[0] : shape[^1]);
        for (var i = 0; i < values.Length; i++)
        {
            var gaussian = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            values[i] = (float)(norm ? (normAddsOne ? 0 : 1) + 0.1 * gaussian : scale * gaussian);
        }
        return values;
    }
}

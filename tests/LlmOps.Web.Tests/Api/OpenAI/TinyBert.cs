using System.Text.Json;
using LlmOps.Engines.Checkpoints;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Api.OpenAI;

/// <summary>A BERT of one layer with random weights, mean pooling and a byte-level tokenizer.</summary>
internal static class TinyBert
{
    private const int Width = 32, Inner = 48, Vocabulary = 304, Positions = 64;

    public static void Write(string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "1_Pooling"));
        TinyModels.Tokenizer().Save(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), JsonSerializer.Serialize(new
        {
            model_type = "bert", vocab_size = Vocabulary, hidden_size = Width, intermediate_size = Inner, num_hidden_layers = 1, num_attention_heads = 4, hidden_act = "gelu",
            max_position_embeddings = Positions, pad_token_id = 0, type_vocab_size = 2,
        }));
        File.WriteAllText(Path.Combine(folder, "1_Pooling", "config.json"), """{"word_embedding_dimension": 32, "pooling_mode_mean_tokens": true}""");
        File.WriteAllText(Path.Combine(folder, "modules.json"), """
            [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
             {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]
            """);
        var random = new Random(11);
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, "model.safetensors"), [.. Shapes().Select(t => (t.Name, t.Shape, Values(random, t.Name, t.Shape)))]);
    }

    private static IEnumerable<(string Name, long[] Shape)> Shapes()
    {
        yield return ("embeddings.word_embeddings.weight", [Vocabulary, Width]);
        yield return ("embeddings.position_embeddings.weight", [Positions, Width]);
        yield return ("embeddings.token_type_embeddings.weight", [2, Width]);
        foreach (var norm in new[] { "embeddings.LayerNorm", "encoder.layer.0.attention.output.LayerNorm", "encoder.layer.0.output.LayerNorm" })
            foreach (var part in new[] { "weight", "bias" })
                yield return ($"{norm}.{part}", [Width]);
        foreach (var (name, rows, columns) in new[]
        {
            ("attention.self.query", Width, Width), ("attention.self.key", Width, Width), ("attention.self.value", Width, Width), ("attention.output.dense", Width, Width),
            ("intermediate.dense", Inner, Width), ("output.dense", Width, Inner),
        })
        {
            yield return ($"encoder.layer.0.{name}.weight", [rows, columns]);
            yield return ($"encoder.layer.0.{name}.bias", [rows]);
        }
    }

    private static float[] Values(Random random, string name, long[] shape)
    {
        var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
        var offset = name.EndsWith("LayerNorm.weight", StringComparison.Ordinal) ? 1 : 0;
        for (var i = 0; i < values.Length; i++)
            values[i] = offset + (random.NextSingle() - 0.5f) * 0.6f;
        return values;
    }
}

using System.Text.Json;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Tests.Onnx;

/// <summary>Encoders of random weights of every family, in sentence-transformers' folder layout.</summary>
internal static class TinyEncoder
{
    public const int Width = 32, Layers = 3;

    /// <param name="folder">Made when missing.</param>
    /// <param name="family">Value of model_type.</param>
    /// <param name="settings">Changes config.json; null values are left out.</param>
    /// <param name="change">Changes tensors before they are written.</param>
    /// <param name="pooling">Flag of 1_Pooling/config.json; null leaves the folder without modules.</param>
    /// <param name="prefix">Whether names carry the family's prefix.</param>
    public static void Write(string folder, string family, Dictionary<string, object?>? settings = null,
        Func<(string Name, long[] Shape, float[] Data), (string, long[], float[])>? change = null, string? pooling = "pooling_mode_mean_tokens", bool prefix = true)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), JsonSerializer.Serialize(Config(family, settings ?? [])));
        var config = EncoderConfig.Read(folder);
        var random = new Random(7);
        var family2 = family is "xlm-roberta" or "camembert" ? "roberta" : family;
        var tensors = EncoderTensors.Expected(config).Select(t =>
        {
            var values = new float[t.Shape.Aggregate(1L, (a, b) => a * b)];
            var norm = t.Name.Contains("norm", StringComparison.OrdinalIgnoreCase) && t.Name.EndsWith("weight", StringComparison.Ordinal);
            for (var i = 0; i < values.Length; i++)
                values[i] = (norm ? 1 : 0) + (random.NextSingle() - 0.5f) * (t.Shape.Length == 2 ? 0.6f : 0.2f);
            return (Name: prefix ? $"{family2}.{t.Name}" : t.Name, t.Shape, Data: values);
        }).Select(change ?? (t => t)).ToList();
        if (prefix)
            tensors.Add(("cls.predictions.bias", [config.VocabSize], new float[config.VocabSize]));
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, "model.safetensors"), tensors);
        if (pooling is null)
            return;
        Directory.CreateDirectory(Path.Combine(folder, "1_Pooling"));
        File.WriteAllText(Path.Combine(folder, "1_Pooling", "config.json"), $$"""{"word_embedding_dimension": 32, "{{pooling}}": true, "pooling_mode_lasttoken": false}""");
        File.WriteAllText(Path.Combine(folder, "sentence_bert_config.json"), """{"max_seq_length": 40, "do_lower_case": false}""");
        File.WriteAllText(Path.Combine(folder, "modules.json"), """
            [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
             {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
             {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]
            """);
    }

    private static Dictionary<string, object> Config(string family, Dictionary<string, object?> settings)
    {
        var distil = family == "distilbert";
        var config = new Dictionary<string, object?>
        {
            ["model_type"] = family, ["vocab_size"] = 101, [distil ? "dim" : "hidden_size"] = Width, [distil ? "hidden_dim" : "intermediate_size"] = 48,
            [distil ? "n_layers" : "num_hidden_layers"] = Layers, [distil ? "n_heads" : "num_attention_heads"] = 4,
            [distil ? "activation" : "hidden_act"] = "gelu", ["max_position_embeddings"] = family is "bert" or "distilbert" ? 140 : 142,
            ["pad_token_id"] = family is "bert" or "distilbert" ? 0 : 1,
        };
        if (family == "bert")
            config["type_vocab_size"] = 2;
        if (family is "roberta" or "xlm-roberta")
            config["type_vocab_size"] = 1;
        foreach (var (name, value) in settings)
            config[name] = value;
        return config.Where(s => s.Value is not null).ToDictionary(s => s.Key, s => s.Value!);
    }
}

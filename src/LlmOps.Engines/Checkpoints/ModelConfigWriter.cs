using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>Writes a <see cref="ModelConfig"/> under the names that Hugging Face's class of the family reads.</summary>
internal static class ModelConfigWriter
{
    public static void Write(ModelConfig config, string folder)
    {
        WriteJson(Path.Combine(folder, ModelConfig.FileName), w =>
        {
            w.WriteStartArray("architectures");
            w.WriteStringValue(config.Family.Architecture);
            w.WriteEndArray();
            w.WriteString("model_type", config.ModelType);
            w.WriteNumber("vocab_size", config.VocabSize);
            if (config.Family.Layout == TensorLayout.Gpt2)
                WriteGpt2(w, config);
            else
                WriteModern(w, config);
            w.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
            w.WriteBoolean("use_cache", true);
            w.WriteString("torch_dtype", "float32");
            WriteTokenIds(w, config);
        });
        WriteJson(Path.Combine(folder, "generation_config.json"), w =>
        {
            WriteTokenIds(w, config);
            w.WriteBoolean("do_sample", false);
            w.WriteNumber("max_length", config.MaxPositionEmbeddings);
        });
    }

    private static void WriteGpt2(Utf8JsonWriter w, ModelConfig config)
    {
        w.WriteNumber("n_embd", config.HiddenSize);
        w.WriteNumber("n_inner", config.IntermediateSize);
        w.WriteNumber("n_layer", config.NumHiddenLayers);
        w.WriteNumber("n_head", config.NumAttentionHeads);
        w.WriteNumber("n_positions", config.MaxPositionEmbeddings);
        w.WriteNumber("layer_norm_epsilon", config.RmsNormEps);
        w.WriteString("activation_function", config.HiddenAct);
    }

    private static void WriteModern(Utf8JsonWriter w, ModelConfig config)
    {
        w.WriteNumber("hidden_size", config.HiddenSize);
        w.WriteNumber("intermediate_size", config.IntermediateSize);
        w.WriteNumber("num_hidden_layers", config.NumHiddenLayers);
        w.WriteNumber("num_attention_heads", config.NumAttentionHeads);
        w.WriteNumber("num_key_value_heads", config.NumKeyValueHeads);
        w.WriteNumber("head_dim", config.HeadDim);
        w.WriteNumber("max_position_embeddings", config.MaxPositionEmbeddings);
        w.WriteNumber("rms_norm_eps", config.RmsNormEps);
        w.WriteNumber("rope_theta", config.RopeTheta);
        if (config.RopeLocalTheta is { } local)
            w.WriteNumber("rope_local_base_freq", local);
        WriteScaling(w, config);
        if (config.PartialRotaryFactor != 1)
            w.WriteNumber("partial_rotary_factor", config.PartialRotaryFactor);
        w.WriteString(config.Family.ScaledEmbedding ? "hidden_activation" : "hidden_act", config.HiddenAct);
        w.WriteBoolean("attention_bias", config.OutputBias);
        w.WriteBoolean("mlp_bias", config.MlpBias);
        w.WriteNumber("attention_dropout", 0);
        WriteLayers(w, config);
        foreach (var (name, value) in new[]
        {
            ("query_pre_attn_scalar", config.QueryPreAttnScalar), ("attn_logit_softcapping", config.AttnLogitSoftcapping), ("final_logit_softcapping", config.FinalLogitSoftcapping),
        })
        {
            if (value is { } number)
                w.WriteNumber(name, number);
        }
    }

    private static void WriteLayers(Utf8JsonWriter w, ModelConfig config)
    {
        if (config.SlidingWindow is { } window)
        {
            w.WriteNumber("sliding_window", window);
            w.WriteBoolean("use_sliding_window", true);
        }
        else if (config.ModelType != "llama")
            w.WriteNull("sliding_window");
        if (config.SlidingLayers is { } sliding)
        {
            w.WriteStartArray("layer_types");
            foreach (var slides in sliding)
                w.WriteStringValue(slides ? "sliding_attention" : "full_attention");
            w.WriteEndArray();
        }
        if (config.RotaryLayers is { } rotary)
        {
            w.WriteStartArray("no_rope_layers");
            foreach (var turned in rotary)
                w.WriteNumberValue(turned ? 1 : 0);
            w.WriteEndArray();
        }
    }

    private static void WriteScaling(Utf8JsonWriter w, ModelConfig config)
    {
        if (config.RopeScaling is not { } s)
        {
            w.WriteNull("rope_scaling");
            return;
        }
        w.WriteStartObject("rope_scaling");
        w.WriteString("rope_type", s.Type);
        w.WriteNumber("factor", s.Factor);
        if (s.OriginalContext > 0)
            w.WriteNumber("original_max_position_embeddings", s.OriginalContext);
        if (s.AttentionFactor is { } attention)
            w.WriteNumber("attention_factor", attention);
        foreach (var (name, value) in s.Type switch
        {
            "llama3" => new[] { ("low_freq_factor", s.LowFreqFactor), ("high_freq_factor", s.HighFreqFactor) },
            "yarn" => [("beta_fast", s.BetaFast), ("beta_slow", s.BetaSlow)],
            _ => [],
        })
            w.WriteNumber(name, value);
        foreach (var (name, values) in new[] { ("short_factor", s.ShortFactor), ("long_factor", s.LongFactor) })
        {
            if (values.Count == 0)
                continue;
            w.WriteStartArray(name);
            foreach (var value in values)
                w.WriteNumberValue(value);
            w.WriteEndArray();
        }
        w.WriteEndObject();
    }

    private static void WriteTokenIds(Utf8JsonWriter w, ModelConfig config)
    {
        w.WriteNumber("bos_token_id", config.BosTokenId);
        w.WriteNumber("eos_token_id", config.EosTokenId);
        w.WriteNumber("pad_token_id", config.PadTokenId);
    }

    private static void WriteJson(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        write(writer);
        writer.WriteEndObject();
    });
}

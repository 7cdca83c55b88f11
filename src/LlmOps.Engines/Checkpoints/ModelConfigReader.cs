using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>Turns a <c>config.json</c> into a <see cref="ModelConfig"/>; refuses by name what would be computed wrongly.</summary>
internal static class ModelConfigReader
{
    public static ModelConfig Read(ConfigJson json)
    {
        var family = ModelFamily.Get(json.Text("model_type") ?? throw new InvalidModelException($"{ModelConfig.FileName}: model_type is missing."));
        if (json.Find("quantization_config") is not null)
            throw new UnsupportedModelException($"{ModelConfig.FileName}: quantization_config is set; the weights are quantized already. Bring the unquantized checkpoint.");
        return family.Layout == TensorLayout.Gpt2 ? ReadGpt2(json, family) : ReadModern(json, family);
    }

    private static ModelConfig ReadGpt2(ConfigJson json, ModelFamily family)
    {
        foreach (var (name, computed) in new[] { ("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false), ("add_cross_attention", false) })
            json.Require(name, computed);
        int hidden = json.Int("n_embd"), heads = json.Int("n_head");
        return new ModelConfig
        {
            ModelType = family.ModelType,
            VocabSize = json.Int("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = json.Int("n_inner", 4 * hidden),
            NumHiddenLayers = json.Int("n_layer"),
            NumAttentionHeads = heads,
            NumKeyValueHeads = heads,
            HeadDim = heads > 0 && hidden % heads == 0 ? hidden / heads : 0,
            MaxPositionEmbeddings = json.Int("n_positions", family.ContextByDefault),
            RmsNormEps = json.Double("layer_norm_epsilon", 1e-5),
            HiddenAct = json.OneOf("activation_function", ModelConfig.Activations, "gelu_new"),
            TieWordEmbeddings = json.Bool("tie_word_embeddings", true),
            QueryKeyValueBias = true,
            OutputBias = true,
            MlpBias = true,
            BosTokenId = json.TokenId("bos_token_id", 50256),
            EosTokenId = json.TokenId("eos_token_id", 50256),
            PadTokenId = json.TokenId("pad_token_id", 0),
        };
    }

    private static ModelConfig ReadModern(ConfigJson json, ModelFamily family)
    {
        int heads = json.Int("num_attention_heads"), hidden = json.Int("hidden_size"), layers = json.Int("num_hidden_layers");
        var attentionBias = json.Bool("attention_bias", false);
        var window = Window(json, family);
        return new ModelConfig
        {
            ModelType = family.ModelType,
            VocabSize = json.Int("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = json.Int("intermediate_size"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = json.Int("num_key_value_heads", heads),
            HeadDim = json.Int("head_dim", family.HeadDimByDefault > 0 ? family.HeadDimByDefault : heads > 0 ? hidden / heads : 0),
            MaxPositionEmbeddings = json.Int("max_position_embeddings", family.ContextByDefault),
            RmsNormEps = json.Double("rms_norm_eps", family.ModelType == "phi3" ? 1e-5 : 1e-6),
            RopeTheta = RopeJson.Theta(json, family.RopeThetaByDefault),
            RopeLocalTheta = family.ModelType == "gemma3_text" ? RopeJson.LocalTheta(json, 10000) : null,
            RopeScaling = RopeJson.Scaling(json),
            PartialRotaryFactor = RopeJson.PartialFactor(json),
            TieWordEmbeddings = json.Bool("tie_word_embeddings", family.TiedByDefault),
            HiddenAct = Activation(json, family),
            QueryKeyValueBias = family.QueryKeyValueBias || attentionBias,
            // Qwen2 has biases before the attention only; the others that may have them have them on both sides.
            OutputBias = attentionBias,
            MlpBias = json.Bool("mlp_bias", false),
            SlidingWindow = window,
            SlidingLayers = window is null ? null : SlidingLayers(json, family, layers),
            RotaryLayers = family.ModelType == "smollm3" ? RotaryLayers(json, layers) : null,
            QueryPreAttnScalar = family.NormAfterBlock ? json.Double("query_pre_attn_scalar", 256) : null,
            AttnLogitSoftcapping = Softcap(json, family, "attn_logit_softcapping", 50),
            FinalLogitSoftcapping = Softcap(json, family, "final_logit_softcapping", 30),
            BosTokenId = json.TokenId("bos_token_id", 1),
            EosTokenId = json.TokenId("eos_token_id", 2),
            PadTokenId = json.TokenId("pad_token_id", 0),
        };
    }

    // Early Gemma files say "gelu" and were trained with the tanh form; hidden_activation is what later files mean.
    private static string Activation(ConfigJson json, ModelFamily family) => family.ScaledEmbedding
        ? json.OneOf("hidden_activation", ModelConfig.Activations, "gelu_pytorch_tanh")
        : json.OneOf("hidden_act", ModelConfig.Activations, "silu");

    // Gemma 2 caps unless its file says null; Gemma 3 caps only when its file says so.
    private static double? Softcap(ConfigJson json, ModelFamily family, string name, double gemma2) => family.ModelType switch
    {
        "gemma2" when !json.Has(name) => gemma2,
        "gemma2" or "gemma3_text" => json.Number(name),
        _ => null,
    };

    private static int? Window(ConfigJson json, ModelFamily family)
    {
        // Llama has no such setting, and Qwen and SmolLM3 ignore theirs unless it is switched on.
        var used = family.ModelType switch
        {
            "mistral" or "phi3" or "gemma2" or "gemma3_text" => true,
            "qwen2" or "qwen3" or "smollm3" => json.Bool("use_sliding_window", false),
            _ => false,
        };
        if (!used)
            return null;
        return json.Find("sliding_window") is null ? family.NormAfterBlock && !json.Has("sliding_window") ? 4096 : null : json.Int("sliding_window");
    }

    private static bool[]? SlidingLayers(ConfigJson json, ModelFamily family, int layers)
    {
        if (json.Find("layer_types") is { ValueKind: JsonValueKind.Array } types)
        {
            return [.. types.EnumerateArray().Select(type => type.ValueKind == JsonValueKind.String ? type.GetString() switch
            {
                "sliding_attention" => true,
                "full_attention" => false,
                var other => throw new UnsupportedModelException($"{ModelConfig.FileName}: layer_types \"{other}\" is not supported; supported: full_attention, sliding_attention."),
            } : throw new InvalidModelException($"{ModelConfig.FileName}: layer_types holds {type.GetRawText()}; expected text."))];
        }
        if (family.FullAttentionEvery > 0)
        {
            var every = json.Int("sliding_window_pattern", family.FullAttentionEvery);
            return every > 0 ? [.. Enumerable.Range(0, layers).Select(i => (i + 1) % every != 0)] : throw new InvalidModelException($"{ModelConfig.FileName}: sliding_window_pattern is {every}; it must be positive.");
        }
        if (family.ModelType is "qwen2" or "qwen3")
        {
            var full = json.Int("max_window_layers", 28);
            return [.. Enumerable.Range(0, layers).Select(i => i >= full)];
        }
        return null;
    }

    // 1 means that the layer is turned, whatever the setting's name suggests.
    private static bool[] RotaryLayers(ConfigJson json, int layers)
    {
        if (json.Find("no_rope_layers") is { ValueKind: JsonValueKind.Array } list)
            return [.. list.EnumerateArray().Select(v => v.ValueKind == JsonValueKind.Number && v.TryGetInt32(out var i) && i is 0 or 1
                ? v.GetInt32() == 1 : throw new InvalidModelException($"{ModelConfig.FileName}: no_rope_layers holds {v.GetRawText()}; expected 0 or 1."))];
        var every = json.Int("no_rope_layer_interval", 4);
        return every > 0 ? [.. Enumerable.Range(0, layers).Select(i => (i + 1) % every != 0)] : throw new InvalidModelException($"{ModelConfig.FileName}: no_rope_layer_interval is {every}; it must be positive.");
    }
}

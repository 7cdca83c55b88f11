using System.Text.Json;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Onnx;

/// <summary>Writes <c>genai_config.json</c>, with which ONNX Runtime GenAI can serve the same folder.</summary>
internal static class GenaiConfig
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static void Write(string folder, ModelConfig config, GraphForm form)
    {
        var inputs = new Dictionary<string, object>
        {
            ["input_ids"] = DecoderGraph.InputIds, ["attention_mask"] = DecoderGraph.AttentionMask,
            ["past_key_names"] = "past_key_values.%d.key", ["past_value_names"] = "past_key_values.%d.value",
        };
        if (form == GraphForm.Portable)
            inputs["position_ids"] = DecoderGraph.PositionIds;
        var decoder = new Dictionary<string, object>
        {
            ["session_options"] = new { log_id = "onnxruntime-genai", provider_options = Array.Empty<object>() },
            ["filename"] = OnnxModel.FileName,
            ["head_size"] = config.HeadDim,
            ["hidden_size"] = config.HiddenSize,
            ["inputs"] = inputs,
            ["outputs"] = new { logits = DecoderGraph.Logits, present_key_names = "present.%d.key", present_value_names = "present.%d.value" },
            ["num_attention_heads"] = config.NumAttentionHeads,
            ["num_hidden_layers"] = config.NumHiddenLayers,
            ["num_key_value_heads"] = config.NumKeyValueHeads,
        };
        var document = new
        {
            model = new
            {
                bos_token_id = config.BosTokenId,
                context_length = config.MaxPositionEmbeddings,
                decoder,
                eos_token_id = config.EosTokenId,
                pad_token_id = config.PadTokenId,
                // The builder names a type after its class: "Qwen2ForCausalLM" is qwen2.
                type = config.Family.Architecture.Replace("ForCausalLM", "", StringComparison.Ordinal).Replace("LMHeadModel", "", StringComparison.Ordinal).ToLowerInvariant(),
                vocab_size = config.VocabSize,
            },
            search = new Dictionary<string, object>
            {
                ["diversity_penalty"] = 0.0, ["do_sample"] = false, ["early_stopping"] = true, ["length_penalty"] = 1.0,
                ["max_length"] = config.MaxPositionEmbeddings, ["min_length"] = 0, ["no_repeat_ngram_size"] = 0, ["num_beams"] = 1,
                ["num_return_sequences"] = 1, ["past_present_share_buffer"] = form == GraphForm.Contrib, ["repetition_penalty"] = 1.0, ["temperature"] = 1.0,
                ["top_k"] = 50, ["top_p"] = 1.0,
            },
        };
        File.WriteAllText(Path.Combine(folder, "genai_config.json"), JsonSerializer.Serialize(document, Indented));
    }
}

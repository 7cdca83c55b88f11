namespace LlmOps.Engines.Checkpoints;

/// <summary>The tensors of a Llama-shaped checkpoint under their Hugging Face names; linear weights are <c>[out, in]</c>.</summary>
public static class LlamaTensors
{
    /// <summary>Every weight that a checkpoint with this configuration must have, in the order in which the model uses them.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Expected(ModelConfig c)
    {
        long hidden = c.HiddenSize, inner = c.IntermediateSize;
        long queries = (long)c.NumAttentionHeads * c.HeadDim, keys = (long)c.NumKeyValueHeads * c.HeadDim;
        yield return ("model.embed_tokens.weight", [c.VocabSize, hidden]);
        for (var i = 0; i < c.NumHiddenLayers; i++)
        {
            var layer = $"model.layers.{i}.";
            yield return (layer + "input_layernorm.weight", [hidden]);
            yield return (layer + "self_attn.q_proj.weight", [queries, hidden]);
            yield return (layer + "self_attn.k_proj.weight", [keys, hidden]);
            yield return (layer + "self_attn.v_proj.weight", [keys, hidden]);
            yield return (layer + "self_attn.o_proj.weight", [hidden, queries]);
            yield return (layer + "post_attention_layernorm.weight", [hidden]);
            yield return (layer + "mlp.gate_proj.weight", [inner, hidden]);
            yield return (layer + "mlp.up_proj.weight", [inner, hidden]);
            yield return (layer + "mlp.down_proj.weight", [hidden, inner]);
        }
        yield return ("model.norm.weight", [hidden]);
        if (!c.TieWordEmbeddings)
            yield return ("lm_head.weight", [c.VocabSize, hidden]);
    }
}

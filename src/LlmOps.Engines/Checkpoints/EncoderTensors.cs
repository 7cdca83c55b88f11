namespace LlmOps.Engines.Checkpoints;

/// <summary>Names of one encoder layer's modules, without <c>.weight</c> and <c>.bias</c>; linear weights are <c>[out, in]</c>.</summary>
internal sealed record EncoderLayer(string Query, string Key, string Value, string Projection, string AttentionNorm, string Inner, string Outer, string OutputNorm);

/// <summary>The tensors of an encoder under their Hugging Face names, without the family's prefix (<c>bert.</c>, <c>roberta.</c>…).</summary>
internal static class EncoderTensors
{
    public const string Words = "embeddings.word_embeddings.weight", Positions = "embeddings.position_embeddings.weight",
        Types = "embeddings.token_type_embeddings.weight", Norm = "embeddings.LayerNorm", RelativeBias = "encoder.relative_attention_bias.weight";

    public static EncoderLayer Layer(string family, int i) => family switch
    {
        "distilbert" => Names($"transformer.layer.{i}", "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"),
        "mpnet" => Names($"encoder.layer.{i}", "attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o", "attention.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"),
        _ => Names($"encoder.layer.{i}", "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"),
    };

    private static EncoderLayer Names(string layer, string q, string k, string v, string o, string norm, string inner, string outer, string last) =>
        new($"{layer}.{q}", $"{layer}.{k}", $"{layer}.{v}", $"{layer}.{o}", $"{layer}.{norm}", $"{layer}.{inner}", $"{layer}.{outer}", $"{layer}.{last}");

    /// <summary>Every tensor that the encoder needs.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Expected(EncoderConfig c)
    {
        long hidden = c.HiddenSize, inner = c.IntermediateSize;
        yield return (Words, [c.VocabSize, hidden]);
        yield return (Positions, [c.MaxPositionEmbeddings, hidden]);
        if (c.TypeVocabSize > 0)
            yield return (Types, [c.TypeVocabSize, hidden]);
        if (c.RelativeBuckets > 0)
            yield return (RelativeBias, [c.RelativeBuckets, c.NumAttentionHeads]);
        foreach (var norm in Both(Norm, [hidden]))
            yield return norm;
        for (var i = 0; i < c.NumHiddenLayers; i++)
        {
            var layer = Layer(c.ModelType, i);
            foreach (var linear in new[] { layer.Query, layer.Key, layer.Value, layer.Projection })
                foreach (var tensor in Both(linear, [hidden, hidden]))
                    yield return tensor;
            foreach (var tensor in Both(layer.AttentionNorm, [hidden]).Concat(Both(layer.Inner, [inner, hidden])).Concat(Both(layer.Outer, [hidden, inner])).Concat(Both(layer.OutputNorm, [hidden])))
                yield return tensor;
        }

        static IEnumerable<(string, long[])> Both(string module, long[] weight) => [($"{module}.weight", weight), ($"{module}.bias", [weight[0]])];
    }

    /// <summary>Tensors that a checkpoint may carry and an embedding does not use: the pooler behind the first token, task heads, tables of numbers 0, 1, 2….</summary>
    public static bool IsUnused(string name) =>
        name is "embeddings.position_ids" or "embeddings.token_type_ids" || UnusedModules.Any(module => name.StartsWith(module, StringComparison.Ordinal));

    private static readonly string[] UnusedModules =
        ["pooler.", "cls.", "lm_head.", "classifier.", "pre_classifier.", "qa_outputs.", "vocab_transform.", "vocab_layer_norm.", "vocab_projector."];
}

namespace LlmOps.Engines.Checkpoints;

/// <summary>The linear layers of a decoder layer.</summary>
public enum Projection
{
    /// <summary>Queries.</summary>
    Query,
    /// <summary>Keys.</summary>
    Key,
    /// <summary>Values.</summary>
    Value,
    /// <summary>Output of the attention.</summary>
    Output,
    /// <summary>Gate of a gated MLP.</summary>
    Gate,
    /// <summary>First layer of the MLP.</summary>
    Up,
    /// <summary>Second layer of the MLP.</summary>
    Down,
}

/// <summary>Where a linear layer's weight is stored: a whole tensor, or the part of a fused one.</summary>
/// <param name="Name">Tensor of the checkpoint.</param>
/// <param name="Bias">Its bias, cut at the same place; null without.</param>
/// <param name="InputsFirst">The tensor is <c>[in, all outputs]</c> (Conv1D) rather than <c>[all outputs, in]</c>.</param>
/// <param name="Start">First output of the part.</param>
/// <param name="Inputs">Width of what is multiplied.</param>
/// <param name="Outputs">Outputs of the part.</param>
/// <param name="TotalOutputs">Outputs of the tensor.</param>
public sealed record LinearSource(string Name, string? Bias, bool InputsFirst, int Start, int Inputs, int Outputs, int TotalOutputs);

/// <summary>The tensors of a decoder checkpoint under their Hugging Face names.</summary>
/// <param name="config">The model.</param>
/// <param name="prefix">Before all names but the head's; null means the family's usual one.</param>
public sealed class DecoderTensors(ModelConfig config, string? prefix = null)
{
    private readonly bool gpt2 = config.Family.Layout == TensorLayout.Gpt2;
    private readonly string prefix = prefix ?? (config.Family.Layout == TensorLayout.Gpt2 ? "transformer." : "model.");

    /// <summary>Every weight that a checkpoint with this configuration must have, in the order in which the model uses them.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Expected(ModelConfig config) => new DecoderTensors(config).Expected();

    /// <summary>The names as a checkpoint has them: GPT-2's base model is saved without the prefix of the causal one.</summary>
    public static DecoderTensors Of(ModelConfig config, IReadOnlyDictionary<string, TensorEntry> present) =>
        new(config, config.Family.Layout == TensorLayout.Gpt2 && present.ContainsKey("wte.weight") ? "" : null);

    /// <summary>Token embedding <c>[vocabulary, hidden]</c>.</summary>
    public string Embedding => prefix + (gpt2 ? "wte.weight" : "embed_tokens.weight");
    /// <summary>Trained positions <c>[context, hidden]</c>, GPT-2 only.</summary>
    public string Positions => prefix + "wpe.weight";
    /// <summary>Norm before the head.</summary>
    public string FinalNorm => prefix + (gpt2 ? "ln_f" : "norm");
    /// <summary>Output projection <c>[vocabulary, hidden]</c>; the embedding when tied.</summary>
    public string Head => config.TieWordEmbeddings ? Embedding : "lm_head.weight";
    /// <summary>Norm before the attention.</summary>
    public string InputNorm(int layer) => Layer(layer) + (gpt2 ? "ln_1" : "input_layernorm");
    /// <summary>Norm of the attention's output, where <see cref="ModelFamily.NormAfterBlock"/>.</summary>
    public string AfterAttentionNorm(int layer) => Layer(layer) + "post_attention_layernorm";
    /// <summary>Norm before the MLP.</summary>
    public string MlpNorm(int layer) => Layer(layer) + (gpt2 ? "ln_2" : config.Family.NormAfterBlock ? "pre_feedforward_layernorm" : "post_attention_layernorm");
    /// <summary>Norm of the MLP's output, where <see cref="ModelFamily.NormAfterBlock"/>.</summary>
    public string AfterMlpNorm(int layer) => Layer(layer) + "post_feedforward_layernorm";
    /// <summary>Norm of each query head, <c>[head]</c>.</summary>
    public string QueryNorm(int layer) => Layer(layer) + "self_attn.q_norm";
    /// <summary>Norm of each key head, <c>[head]</c>.</summary>
    public string KeyNorm(int layer) => Layer(layer) + "self_attn.k_norm";

    /// <summary>Where a linear layer is stored.</summary>
    public LinearSource Linear(int layer, Projection projection)
    {
        int hidden = config.HiddenSize, inner = config.IntermediateSize, queries = config.NumAttentionHeads * config.HeadDim, keys = config.NumKeyValueHeads * config.HeadDim;
        var (inputs, outputs) = projection switch
        {
            Projection.Query => (hidden, queries),
            Projection.Key or Projection.Value => (hidden, keys),
            Projection.Output => (queries, hidden),
            Projection.Down => (inner, hidden),
            _ => (hidden, inner),
        };
        var (name, start, total) = (config.Family.Layout, projection) switch
        {
            (TensorLayout.Separate, Projection.Query) => ("self_attn.q_proj", 0, outputs),
            (TensorLayout.Separate, Projection.Key) => ("self_attn.k_proj", 0, outputs),
            (TensorLayout.Separate, Projection.Value) => ("self_attn.v_proj", 0, outputs),
            (TensorLayout.Separate or TensorLayout.Fused, Projection.Output) => ("self_attn.o_proj", 0, outputs),
            (TensorLayout.Separate, Projection.Gate) => ("mlp.gate_proj", 0, outputs),
            (TensorLayout.Separate, Projection.Up) => ("mlp.up_proj", 0, outputs),
            (TensorLayout.Separate or TensorLayout.Fused, Projection.Down) => ("mlp.down_proj", 0, outputs),
            (TensorLayout.Fused, Projection.Gate) => ("mlp.gate_up_proj", 0, 2 * inner),
            (TensorLayout.Fused, Projection.Up) => ("mlp.gate_up_proj", inner, 2 * inner),
            (TensorLayout.Gpt2, Projection.Output) => ("attn.c_proj", 0, outputs),
            (TensorLayout.Gpt2, Projection.Up) => ("mlp.c_fc", 0, outputs),
            (TensorLayout.Gpt2, Projection.Down) => ("mlp.c_proj", 0, outputs),
            (_, Projection.Query) => (gpt2 ? "attn.c_attn" : "self_attn.qkv_proj", 0, queries + 2 * keys),
            (_, Projection.Key) => (gpt2 ? "attn.c_attn" : "self_attn.qkv_proj", queries, queries + 2 * keys),
            (_, Projection.Value) => (gpt2 ? "attn.c_attn" : "self_attn.qkv_proj", queries + keys, queries + 2 * keys),
            _ => throw new ArgumentException($"A {config.ModelType} model has no {projection}.", nameof(projection)),
        };
        var bias = projection switch
        {
            Projection.Query or Projection.Key or Projection.Value => config.QueryKeyValueBias,
            Projection.Output => config.OutputBias,
            _ => config.MlpBias,
        };
        return new($"{Layer(layer)}{name}.weight", bias ? $"{Layer(layer)}{name}.bias" : null, gpt2, start, inputs, outputs, total);
    }

    /// <summary>The linear layers that the family has, in the order of use.</summary>
    public IEnumerable<Projection> Projections => Enum.GetValues<Projection>().Where(p => p != Projection.Gate || config.Family.GatedMlp);

    /// <summary>Every weight that the checkpoint must have, in the order in which the model uses them.</summary>
    public IEnumerable<(string Name, long[] Shape)> Expected()
    {
        long hidden = config.HiddenSize;
        yield return (Embedding, [config.VocabSize, hidden]);
        if (config.Family.LearnedPositions)
            yield return (Positions, [config.MaxPositionEmbeddings, hidden]);
        for (var layer = 0; layer < config.NumHiddenLayers; layer++)
            foreach (var tensor in LayerTensors(layer))
                yield return tensor;
        foreach (var tensor in Norm(FinalNorm, hidden))
            yield return tensor;
        if (!config.TieWordEmbeddings)
            yield return (Head, [config.VocabSize, hidden]);
    }

    private IEnumerable<(string Name, long[] Shape)> LayerTensors(int layer)
    {
        var norms = config.Family.NormAfterBlock;
        foreach (var tensor in Norm(InputNorm(layer), config.HiddenSize))
            yield return tensor;
        foreach (var tensor in Projections.Where(p => p <= Projection.Output).SelectMany(p => Stored(layer, p)))
            yield return tensor;
        if (config.Family.QueryKeyNorm)
        {
            yield return (QueryNorm(layer) + ".weight", [config.HeadDim]);
            yield return (KeyNorm(layer) + ".weight", [config.HeadDim]);
        }
        if (norms)
            yield return (AfterAttentionNorm(layer) + ".weight", [config.HiddenSize]);
        foreach (var tensor in Norm(MlpNorm(layer), config.HiddenSize))
            yield return tensor;
        foreach (var tensor in Projections.Where(p => p > Projection.Output).SelectMany(p => Stored(layer, p)))
            yield return tensor;
        if (norms)
            yield return (AfterMlpNorm(layer) + ".weight", [config.HiddenSize]);
    }

    // The parts of a fused tensor are one tensor of the file: it is named where its first part is.
    private IEnumerable<(string Name, long[] Shape)> Stored(int layer, Projection projection)
    {
        var source = Linear(layer, projection);
        if (source.Start > 0)
            yield break;
        yield return (source.Name, source.InputsFirst ? [source.Inputs, source.TotalOutputs] : [source.TotalOutputs, source.Inputs]);
        if (source.Bias is not null)
            yield return (source.Bias, [source.TotalOutputs]);
    }

    private IEnumerable<(string Name, long[] Shape)> Norm(string name, long width)
    {
        yield return (name + ".weight", [width]);
        if (config.Family.LayerNorm)
            yield return (name + ".bias", [width]);
    }

    private string Layer(int layer) => $"{prefix}{(gpt2 ? "h" : "layers")}.{layer}.";
}

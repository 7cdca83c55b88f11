namespace LlmOps.Engines.Checkpoints;

/// <summary>How a family's checkpoints name and store their linear layers.</summary>
public enum TensorLayout
{
    /// <summary><c>q_proj</c>, <c>k_proj</c>, <c>v_proj</c>, <c>gate_proj</c>, <c>up_proj</c>, each <c>[out, in]</c>.</summary>
    Separate,
    /// <summary><c>qkv_proj</c> and <c>gate_up_proj</c>, rows one after the other.</summary>
    Fused,
    /// <summary>GPT-2's <c>c_attn</c>, <c>c_fc</c>, <c>c_proj</c>, stored <c>[in, out]</c> (Conv1D).</summary>
    Gpt2,
}

/// <summary>
/// What all models of one <c>model_type</c> have in common and their <c>config.json</c> does not say. What it does say is in <see cref="ModelConfig"/>.
/// The table follows the modelling code that Hugging Face publishes for each type.
/// </summary>
public sealed record ModelFamily
{
    /// <summary>The <c>model_type</c> of <c>config.json</c>.</summary>
    public required string ModelType { get; init; }
    /// <summary>The class in <c>architectures</c>.</summary>
    public required string Architecture { get; init; }
    /// <summary>Names and layout of the weights.</summary>
    public TensorLayout Layout { get; init; }
    /// <summary>LayerNorm (mean and bias) instead of RMSNorm.</summary>
    public bool LayerNorm { get; init; }
    /// <summary>RMSNorm multiplies by 1 + weight.</summary>
    public bool NormAddsOne { get; init; }
    /// <summary>RMSNorm over each query and key head before the rotation.</summary>
    public bool QueryKeyNorm { get; init; }
    /// <summary>A second norm after each block, before its output is added to the residual stream.</summary>
    public bool NormAfterBlock { get; init; }
    /// <summary>Token embeddings are multiplied by √hidden.</summary>
    public bool ScaledEmbedding { get; init; }
    /// <summary>Positions are a trained table that is added to the embeddings; otherwise they are rotations.</summary>
    public bool LearnedPositions { get; init; }
    /// <summary>The MLP is down(act(gate(x)) · up(x)); otherwise down(act(up(x))).</summary>
    public bool GatedMlp { get; init; } = true;
    /// <summary>Biases of queries, keys and values that no setting turns off.</summary>
    public bool QueryKeyValueBias { get; init; }
    /// <summary>Biases of all linear layers that no setting turns off.</summary>
    public bool AllBias { get; init; }
    /// <summary>Whether head and embedding are one matrix when <c>config.json</c> does not say.</summary>
    public bool TiedByDefault { get; init; }
    /// <summary><c>head_dim</c> when <c>config.json</c> does not say; 0 means hidden / heads.</summary>
    public int HeadDimByDefault { get; init; }
    /// <summary><c>max_position_embeddings</c> when <c>config.json</c> does not say.</summary>
    public int ContextByDefault { get; init; } = 2048;
    /// <summary><c>rope_theta</c> when <c>config.json</c> does not say.</summary>
    public double RopeThetaByDefault { get; init; } = 10000;
    /// <summary>Layer i is a full-attention layer when (i + 1) is a multiple of this and <c>layer_types</c> is absent; 0: all layers are alike.</summary>
    public int FullAttentionEvery { get; init; }

    /// <summary>All supported families.</summary>
    public static IReadOnlyList<ModelFamily> All { get; } =
    [
        new() { ModelType = "llama", Architecture = "LlamaForCausalLM" },
        new() { ModelType = "mistral", Architecture = "MistralForCausalLM", ContextByDefault = 131072 },
        new() { ModelType = "qwen2", Architecture = "Qwen2ForCausalLM", QueryKeyValueBias = true, ContextByDefault = 32768 },
        new() { ModelType = "qwen3", Architecture = "Qwen3ForCausalLM", QueryKeyNorm = true, HeadDimByDefault = 128, ContextByDefault = 32768 },
        new() { ModelType = "smollm3", Architecture = "SmolLM3ForCausalLM", TiedByDefault = true, ContextByDefault = 32768, RopeThetaByDefault = 2_000_000 },
        new() { ModelType = "phi3", Architecture = "Phi3ForCausalLM", Layout = TensorLayout.Fused, ContextByDefault = 4096 },
        new() { ModelType = "gemma", Architecture = "GemmaForCausalLM", NormAddsOne = true, ScaledEmbedding = true, TiedByDefault = true, HeadDimByDefault = 256, ContextByDefault = 8192 },
        new()
        {
            ModelType = "gemma2", Architecture = "Gemma2ForCausalLM", NormAddsOne = true, ScaledEmbedding = true, NormAfterBlock = true, TiedByDefault = true,
            HeadDimByDefault = 256, ContextByDefault = 8192, FullAttentionEvery = 2,
        },
        new()
        {
            ModelType = "gemma3_text", Architecture = "Gemma3ForCausalLM", NormAddsOne = true, ScaledEmbedding = true, NormAfterBlock = true, QueryKeyNorm = true, TiedByDefault = true,
            HeadDimByDefault = 256, ContextByDefault = 131072, RopeThetaByDefault = 1_000_000, FullAttentionEvery = 6,
        },
        new()
        {
            ModelType = "gpt2", Architecture = "GPT2LMHeadModel", Layout = TensorLayout.Gpt2, LayerNorm = true, LearnedPositions = true, GatedMlp = false, AllBias = true,
            TiedByDefault = true, ContextByDefault = 1024,
        },
    ];

    /// <summary>The family of a <c>model_type</c>, or null.</summary>
    public static ModelFamily? Find(string modelType) => All.FirstOrDefault(family => family.ModelType == modelType);

    /// <summary>The family of a <c>model_type</c>.</summary>
    /// <exception cref="UnsupportedModelException">It is not in the table.</exception>
    public static ModelFamily Get(string modelType) => Find(modelType) ?? throw new UnsupportedModelException(
        $"{ModelConfig.FileName}: model_type \"{modelType}\" is not supported; supported: {string.Join(", ", All.Select(family => family.ModelType))}.");
}

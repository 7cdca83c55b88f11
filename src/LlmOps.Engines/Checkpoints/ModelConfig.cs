namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// The <c>config.json</c> of a causal language model of one of the <see cref="ModelFamily"/>s. Names and defaults are those of Hugging Face's configuration classes;
/// GPT-2's own names (<c>n_embd</c> …) are translated on reading and writing.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>File name inside a checkpoint folder.</summary>
    public const string FileName = "config.json";

    private const int MostLayers = 4096, LongestContext = 1 << 24;

    /// <summary>Architecture family, one of <see cref="ModelFamily.All"/>.</summary>
    public string ModelType { get; init; } = "llama";
    /// <summary>Rows of the token embedding.</summary>
    public required int VocabSize { get; init; }
    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }
    /// <summary>Width inside the MLP.</summary>
    public required int IntermediateSize { get; init; }
    /// <summary>Number of decoder layers.</summary>
    public required int NumHiddenLayers { get; init; }
    /// <summary>Query heads.</summary>
    public required int NumAttentionHeads { get; init; }
    /// <summary>Key and value heads; divides <see cref="NumAttentionHeads"/>.</summary>
    public required int NumKeyValueHeads { get; init; }
    /// <summary>Width of one head; even, because rotary embedding turns pairs.</summary>
    public required int HeadDim { get; init; }
    /// <summary>Longest sequence, in tokens.</summary>
    public required int MaxPositionEmbeddings { get; init; }
    /// <summary>ε of RMSNorm or LayerNorm.</summary>
    public double RmsNormEps { get; init; } = 1e-5;
    /// <summary>Base of the rotary frequencies, <c>θ^(−2i/d)</c>.</summary>
    public double RopeTheta { get; init; } = 10000;
    /// <summary>Base in sliding-window layers where it differs (Gemma 3); null means <see cref="RopeTheta"/>.</summary>
    public double? RopeLocalTheta { get; init; }
    /// <summary>How rotary frequencies are stretched; null means not at all.</summary>
    public RopeScaling? RopeScaling { get; init; }
    /// <summary>Share of each head that is turned, from its start.</summary>
    public double PartialRotaryFactor { get; init; } = 1;
    /// <summary>Whether the output projection is the token embedding.</summary>
    public bool TieWordEmbeddings { get; init; } = true;
    /// <summary>Activation of the MLP, one of <see cref="Activations"/>.</summary>
    public string HiddenAct { get; init; } = "silu";
    /// <summary>Whether queries, keys and values have biases.</summary>
    public bool QueryKeyValueBias { get; init; }
    /// <summary>Whether the attention's output has a bias.</summary>
    public bool OutputBias { get; init; }
    /// <summary>Whether the MLP's layers have biases.</summary>
    public bool MlpBias { get; init; }
    /// <summary>A sliding layer sees this many tokens, itself included; null means all.</summary>
    public int? SlidingWindow { get; init; }
    /// <summary>For each layer whether it slides; null means that all do when <see cref="SlidingWindow"/> is set.</summary>
    public IReadOnlyList<bool>? SlidingLayers { get; init; }
    /// <summary>For each layer whether queries and keys are turned (SmolLM3 leaves some out); null means all.</summary>
    public IReadOnlyList<bool>? RotaryLayers { get; init; }
    /// <summary>Attention scores are multiplied by its −½; null means <see cref="HeadDim"/>.</summary>
    public double? QueryPreAttnScalar { get; init; }
    /// <summary>Attention scores s become c · tanh(s / c) with this c; null means not at all.</summary>
    public double? AttnLogitSoftcapping { get; init; }
    /// <summary>The same for the logits.</summary>
    public double? FinalLogitSoftcapping { get; init; }
    /// <summary>Id that starts a sequence.</summary>
    public int BosTokenId { get; init; } = 1;
    /// <summary>Id that ends a sequence.</summary>
    public int EosTokenId { get; init; } = 2;
    /// <summary>Id that fills batches.</summary>
    public int PadTokenId { get; init; }

    /// <summary>Activations that are computed here, as <c>config.json</c> names them.</summary>
    public static IReadOnlyList<string> Activations { get; } = ["silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "relu", "relu2"];

    /// <summary>What the family has in common.</summary>
    /// <exception cref="UnsupportedModelException">The family is unknown.</exception>
    public ModelFamily Family => ModelFamily.Get(ModelType);

    /// <summary>Number of trained values, tied weights counted once.</summary>
    public long ParameterCount => DecoderTensors.Expected(this).Sum(t => t.Shape.Aggregate(1L, (a, b) => a * b));

    /// <summary>Factor on the attention scores.</summary>
    public double AttentionScale => 1 / Math.Sqrt(QueryPreAttnScalar ?? HeadDim);

    /// <summary>How many values of a head are turned.</summary>
    public int RotaryDim => (int)(HeadDim * PartialRotaryFactor);

    /// <summary>Tokens that a layer sees, itself included, or null for all.</summary>
    public int? Window(int layer) => SlidingLayers is null || SlidingLayers[layer] ? SlidingWindow : null;

    /// <summary>Whether a layer turns queries and keys.</summary>
    public bool HasRotary(int layer) => !Family.LearnedPositions && (RotaryLayers is null || RotaryLayers[layer]);

    /// <summary>Reads <c>config.json</c> from a checkpoint folder.</summary>
    /// <exception cref="InvalidModelException">The file is missing, not JSON, or its sizes contradict each other.</exception>
    /// <exception cref="UnsupportedModelException">The architecture, rotary scaling, activation or another setting is one that this library does not compute.</exception>
    public static ModelConfig Read(string folder)
    {
        var config = ModelConfigReader.Read(ConfigJson.Open(folder, FileName));
        if (config.FindProblem() is { } problem)
            throw new InvalidModelException($"{FileName}: {problem}");
        return config;
    }

    /// <summary>Writes <c>config.json</c> and a greedy <c>generation_config.json</c>, as Hugging Face's classes read them.</summary>
    /// <exception cref="ArgumentException">The sizes contradict each other.</exception>
    public void Write(string folder)
    {
        if (FindProblem() is { } problem)
            throw new ArgumentException(problem);
        ModelConfigWriter.Write(this, folder);
    }

    /// <summary>Says what makes this configuration impossible, or null.</summary>
    public string? FindProblem()
    {
        foreach (var (name, value) in new[]
        {
            ("vocab_size", VocabSize), ("hidden_size", HiddenSize), ("intermediate_size", IntermediateSize), ("num_hidden_layers", NumHiddenLayers),
            ("num_attention_heads", NumAttentionHeads), ("num_key_value_heads", NumKeyValueHeads), ("head_dim", HeadDim), ("max_position_embeddings", MaxPositionEmbeddings),
        })
        {
            if (value <= 0)
                return $"{name} is {value}; it must be positive.";
        }
        // Bounds far above any model: a few bytes of JSON must not make the reader list a billion tensors.
        if (NumHiddenLayers > MostLayers)
            return $"num_hidden_layers is {NumHiddenLayers}; at most {MostLayers} are supported.";
        if (MaxPositionEmbeddings > LongestContext)
            return $"max_position_embeddings is {MaxPositionEmbeddings}; at most {LongestContext} are supported.";
        if (NumAttentionHeads % NumKeyValueHeads != 0)
            return $"num_attention_heads ({NumAttentionHeads}) is not a multiple of num_key_value_heads ({NumKeyValueHeads}).";
        if (HeadDim % 2 != 0)
            return $"head_dim is {HeadDim}; rotary embedding needs an even number.";
        if ((long)NumAttentionHeads * HeadDim > int.MaxValue / 4 || (long)IntermediateSize * 2 > int.MaxValue)
            return "the sizes of heads or MLP are too large.";
        foreach (var (name, id) in new[] { ("bos_token_id", BosTokenId), ("eos_token_id", EosTokenId), ("pad_token_id", PadTokenId) })
        {
            if (id < 0 || id >= VocabSize)
                return $"{name} is {id}; the vocabulary has ids 0 to {VocabSize - 1}.";
        }
        if (!(RmsNormEps > 0 && RopeTheta > 0 && double.IsFinite(RmsNormEps) && double.IsFinite(RopeTheta)))
            return $"rms_norm_eps ({RmsNormEps}) and rope_theta ({RopeTheta}) must be positive.";
        return FindLayerProblem();
    }

    private string? FindLayerProblem()
    {
        if (SlidingWindow is <= 0)
            return $"sliding_window is {SlidingWindow}; it must be positive.";
        if (SlidingLayers is { } sliding && sliding.Count != NumHiddenLayers)
            return $"layer_types has {sliding.Count} entries; num_hidden_layers is {NumHiddenLayers}.";
        if (RotaryLayers is { } rotary && rotary.Count != NumHiddenLayers)
            return $"no_rope_layers has {rotary.Count} entries; num_hidden_layers is {NumHiddenLayers}.";
        if (!(PartialRotaryFactor > 0 && PartialRotaryFactor <= 1) || RotaryDim < 2 || RotaryDim % 2 != 0)
            return $"partial_rotary_factor {PartialRotaryFactor} of head_dim {HeadDim} leaves no even number of values to turn.";
        if (RopeScaling is not { } scaling)
            return null;
        if (!(scaling.Factor > 0 && double.IsFinite(scaling.Factor)) || scaling.Type == "llama3" && !(scaling.OriginalContext > 0 && scaling.HighFreqFactor > scaling.LowFreqFactor && scaling.LowFreqFactor > 0))
            return $"rope_scaling of type {scaling.Type} has impossible factors.";
        if (scaling.Type == "longrope" && (scaling.ShortFactor.Count != RotaryDim / 2 || scaling.LongFactor.Count != RotaryDim / 2))
            return $"rope_scaling has {scaling.ShortFactor.Count} short and {scaling.LongFactor.Count} long factors; {RotaryDim / 2} are needed.";
        return null;
    }
}

namespace LlmOps.Engines.Checkpoints;

/// <summary>How an encoder's feed-forward block bends its values.</summary>
public enum EncoderActivation
{
    /// <summary>x · Φ(x), with the error function.</summary>
    Gelu,
    /// <summary>The tanh approximation of GELU: <c>gelu_new</c>, <c>gelu_pytorch_tanh</c>, <c>gelu_fast</c>.</summary>
    GeluTanh,
    /// <summary>max(0, x).</summary>
    Relu,
}

/// <summary>
/// The <c>config.json</c> of a BERT-shaped encoder: learned positions, LayerNorm after each block, biases everywhere. Families: bert, roberta,
/// xlm-roberta, camembert, distilbert and mpnet. Names and defaults are those of Hugging Face's configuration classes.
/// </summary>
public sealed record EncoderConfig
{
    /// <summary>Values of <c>model_type</c> that are supported.</summary>
    public static IReadOnlyList<string> Families { get; } = ["bert", "roberta", "xlm-roberta", "camembert", "distilbert", "mpnet"];

    private const int MostLayers = 4096, LongestContext = 1 << 24;

    /// <summary>Architecture family.</summary>
    public required string ModelType { get; init; }
    /// <summary>Rows of the token embedding.</summary>
    public required int VocabSize { get; init; }
    /// <summary>Width of a hidden state.</summary>
    public required int HiddenSize { get; init; }
    /// <summary>Width inside the feed-forward block.</summary>
    public required int IntermediateSize { get; init; }
    /// <summary>Number of layers.</summary>
    public required int NumHiddenLayers { get; init; }
    /// <summary>Attention heads; divides <see cref="HiddenSize"/>.</summary>
    public required int NumAttentionHeads { get; init; }
    /// <summary>Rows of the position table.</summary>
    public required int MaxPositionEmbeddings { get; init; }
    /// <summary>Row of the first token: 0, or one after the padding id in RoBERTa's line, where padding keeps a row of its own.</summary>
    public int PositionOffset { get; init; }
    /// <summary>Rows of the token type table; 0 in families without it.</summary>
    public int TypeVocabSize { get; init; }
    /// <summary>ε of LayerNorm.</summary>
    public double LayerNormEps { get; init; } = 1e-12;
    /// <summary>Activation of the feed-forward block.</summary>
    public EncoderActivation Activation { get; init; }
    /// <summary>Id that fills batches.</summary>
    public int PadTokenId { get; init; }
    /// <summary>Buckets of MPNet's relative position bias (T5's scheme); 0 in families without it.</summary>
    public int RelativeBuckets { get; init; }

    /// <summary>Longest sequence, in tokens.</summary>
    public int MaxTokens => MaxPositionEmbeddings - PositionOffset;

    /// <summary>Width of one head.</summary>
    public int HeadDim => HiddenSize / NumAttentionHeads;

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => EncoderTensors.Expected(this).Sum(t => t.Shape.Aggregate(1L, (a, b) => a * b));

    /// <summary>Reads <c>config.json</c> from a checkpoint folder.</summary>
    /// <exception cref="InvalidModelException">The file is missing, not JSON, or its sizes contradict each other.</exception>
    /// <exception cref="UnsupportedModelException">The family, position type, activation or use as a decoder is one that this library does not compute.</exception>
    public static EncoderConfig Read(string folder)
    {
        var json = ConfigJson.Open(folder, ModelConfig.FileName);
        var family = json.OneOf("model_type", Families);
        json.OneOf("position_embedding_type", ["absolute"], "absolute");
        foreach (var name in new[] { "is_decoder", "add_cross_attention" })
            if (json.Bool(name, false))
                throw new UnsupportedModelException($"{ModelConfig.FileName}: {name} is true; an encoder reads in both directions and has no cross-attention.");
        var config = family == "distilbert" ? DistilBert(json) : Common(json, family);
        return config.FindProblem() is { } problem ? throw new InvalidModelException($"{ModelConfig.FileName}: {problem}") : config;
    }

    private static EncoderConfig Common(ConfigJson json, string family)
    {
        var pad = json.TokenId("pad_token_id", family == "bert" ? 0 : 1);
        return new EncoderConfig
        {
            ModelType = family,
            VocabSize = json.Int("vocab_size"),
            HiddenSize = json.Int("hidden_size"),
            IntermediateSize = json.Int("intermediate_size"),
            NumHiddenLayers = json.Int("num_hidden_layers"),
            NumAttentionHeads = json.Int("num_attention_heads"),
            MaxPositionEmbeddings = json.Int("max_position_embeddings", 512),
            PositionOffset = family == "bert" ? 0 : pad + 1,
            TypeVocabSize = family == "mpnet" ? 0 : json.Int("type_vocab_size", 2),
            LayerNormEps = json.Double("layer_norm_eps", 1e-12),
            Activation = ReadActivation(json, "hidden_act"),
            PadTokenId = pad,
            RelativeBuckets = family == "mpnet" ? json.Int("relative_attention_num_buckets", 32) : 0,
        };
    }

    private static EncoderConfig DistilBert(ConfigJson json) => new()
    {
        ModelType = "distilbert",
        VocabSize = json.Int("vocab_size"),
        HiddenSize = json.Int("dim"),
        IntermediateSize = json.Int("hidden_dim"),
        NumHiddenLayers = json.Int("n_layers"),
        NumAttentionHeads = json.Int("n_heads"),
        MaxPositionEmbeddings = json.Int("max_position_embeddings", 512),
        Activation = ReadActivation(json, "activation"),
        PadTokenId = json.TokenId("pad_token_id", 0),
    };

    private static EncoderActivation ReadActivation(ConfigJson json, string name) =>
        json.OneOf(name, ["gelu", "gelu_python", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "relu"], "gelu") switch
        {
            "gelu" or "gelu_python" => EncoderActivation.Gelu,
            "relu" => EncoderActivation.Relu,
            _ => EncoderActivation.GeluTanh,
        };

    private string? FindProblem()
    {
        foreach (var (name, value) in new[]
        {
            ("vocab_size", VocabSize), ("hidden size", HiddenSize), ("intermediate size", IntermediateSize), ("number of layers", NumHiddenLayers),
            ("number of heads", NumAttentionHeads), ("max_position_embeddings", MaxPositionEmbeddings),
        })
        {
            if (value <= 0)
                return $"{name} is {value}; it must be positive.";
        }
        // Bounds far above any model: a few bytes of JSON must not make the reader list a billion tensors.
        if (NumHiddenLayers > MostLayers || MaxPositionEmbeddings > LongestContext)
            return $"the number of layers is {NumHiddenLayers} and max_position_embeddings {MaxPositionEmbeddings}; at most {MostLayers} and {LongestContext} are supported.";
        return HiddenSize % NumAttentionHeads != 0 ? $"the hidden size ({HiddenSize}) is not a multiple of the number of heads ({NumAttentionHeads})."
            : PadTokenId < 0 || PadTokenId >= VocabSize ? $"pad_token_id is {PadTokenId}; the vocabulary has ids 0 to {VocabSize - 1}."
            : MaxTokens <= 0 ? $"max_position_embeddings is {MaxPositionEmbeddings}, and the first {PositionOffset} rows are taken by padding: there is no room for a token."
            : TypeVocabSize < 0 || RelativeBuckets < 0 || RelativeBuckets % 4 != 0 ? $"type_vocab_size ({TypeVocabSize}) or relative_attention_num_buckets ({RelativeBuckets}, a multiple of 4) is impossible."
            : !(LayerNormEps > 0 && double.IsFinite(LayerNormEps)) ? $"layer_norm_eps is {LayerNormEps}; it must be positive."
            : null;
    }
}

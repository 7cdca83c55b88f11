using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// The <c>config.json</c> of a Llama-shaped causal language model (RMSNorm, rotary positions, grouped-query attention, gated SiLU, no biases).
/// Names and defaults are those of Hugging Face's <c>LlamaConfig</c>.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>File name inside a checkpoint folder.</summary>
    public const string FileName = "config.json";

    /// <summary>Architecture family; only <c>llama</c> is supported.</summary>
    public string ModelType { get; init; } = "llama";
    /// <summary>Rows of the token embedding.</summary>
    public required int VocabSize { get; init; }
    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }
    /// <summary>Width inside the gated MLP.</summary>
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
    /// <summary>ε of RMSNorm.</summary>
    public double RmsNormEps { get; init; } = 1e-5;
    /// <summary>Base of the rotary frequencies, <c>θ^(−2i/d)</c>.</summary>
    public double RopeTheta { get; init; } = 10000;
    /// <summary>Whether the output projection is the token embedding.</summary>
    public bool TieWordEmbeddings { get; init; } = true;
    /// <summary>Activation of the gated MLP; only <c>silu</c> is supported.</summary>
    public string HiddenAct { get; init; } = "silu";
    /// <summary>Id that starts a sequence.</summary>
    public int BosTokenId { get; init; } = 1;
    /// <summary>Id that ends a sequence.</summary>
    public int EosTokenId { get; init; } = 2;
    /// <summary>Id that fills batches.</summary>
    public int PadTokenId { get; init; }

    /// <summary>Number of trained values, tied weights counted once.</summary>
    public long ParameterCount => LlamaTensors.Expected(this).Sum(t => t.Shape.Aggregate(1L, (a, b) => a * b));

    /// <summary>Reads <c>config.json</c> from a checkpoint folder.</summary>
    /// <exception cref="InvalidModelException">The file is missing, not JSON, or its sizes contradict each other.</exception>
    /// <exception cref="UnsupportedModelException">The architecture, rotary scaling, activation or a bias is one that this library does not compute.</exception>
    public static ModelConfig Read(string folder)
    {
        var json = ConfigJson.Open(folder, FileName);
        json.RequireOneOf("model_type", "llama");
        json.RequireOneOf("hidden_act", "silu");
        json.RequireFalse("attention_bias");
        json.RequireFalse("mlp_bias");
        json.RequireDefaultRope();
        var heads = json.Int("num_attention_heads");
        var hidden = json.Int("hidden_size");
        var config = new ModelConfig
        {
            VocabSize = json.Int("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = json.Int("intermediate_size"),
            NumHiddenLayers = json.Int("num_hidden_layers"),
            NumAttentionHeads = heads,
            NumKeyValueHeads = json.Int("num_key_value_heads", heads),
            HeadDim = json.Int("head_dim", heads > 0 ? hidden / heads : 0),
            MaxPositionEmbeddings = json.Int("max_position_embeddings", 2048),
            RmsNormEps = json.Double("rms_norm_eps", 1e-6),
            RopeTheta = json.RopeTheta(10000),
            TieWordEmbeddings = json.Bool("tie_word_embeddings", false),
            BosTokenId = json.TokenId("bos_token_id", 1),
            EosTokenId = json.TokenId("eos_token_id", 2),
            PadTokenId = json.TokenId("pad_token_id", 0),
        };
        if (config.FindProblem() is { } problem)
            throw new InvalidModelException($"{FileName}: {problem}");
        return config;
    }

    /// <summary>Writes <c>config.json</c> and a greedy <c>generation_config.json</c>, as Hugging Face's <c>LlamaForCausalLM</c> reads them.</summary>
    /// <exception cref="ArgumentException">The sizes contradict each other.</exception>
    public void Write(string folder)
    {
        if (FindProblem() is { } problem)
            throw new ArgumentException(problem);
        WriteJson(Path.Combine(folder, FileName), w =>
        {
            w.WriteStartArray("architectures");
            w.WriteStringValue("LlamaForCausalLM");
            w.WriteEndArray();
            w.WriteString("model_type", ModelType);
            w.WriteNumber("vocab_size", VocabSize);
            w.WriteNumber("hidden_size", HiddenSize);
            w.WriteNumber("intermediate_size", IntermediateSize);
            w.WriteNumber("num_hidden_layers", NumHiddenLayers);
            w.WriteNumber("num_attention_heads", NumAttentionHeads);
            w.WriteNumber("num_key_value_heads", NumKeyValueHeads);
            w.WriteNumber("head_dim", HeadDim);
            w.WriteNumber("max_position_embeddings", MaxPositionEmbeddings);
            w.WriteNumber("rms_norm_eps", RmsNormEps);
            w.WriteNumber("rope_theta", RopeTheta);
            w.WriteNull("rope_scaling");
            w.WriteBoolean("tie_word_embeddings", TieWordEmbeddings);
            w.WriteString("hidden_act", HiddenAct);
            w.WriteBoolean("attention_bias", false);
            w.WriteBoolean("mlp_bias", false);
            w.WriteNumber("attention_dropout", 0);
            w.WriteBoolean("use_cache", true);
            w.WriteString("torch_dtype", "float32");
            WriteTokenIds(w);
        });
        WriteJson(Path.Combine(folder, "generation_config.json"), w =>
        {
            WriteTokenIds(w);
            w.WriteBoolean("do_sample", false);
            w.WriteNumber("max_length", MaxPositionEmbeddings);
        });
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
        if (NumAttentionHeads % NumKeyValueHeads != 0)
            return $"num_attention_heads ({NumAttentionHeads}) is not a multiple of num_key_value_heads ({NumKeyValueHeads}).";
        if (HeadDim % 2 != 0)
            return $"head_dim is {HeadDim}; rotary embedding needs an even number.";
        foreach (var (name, id) in new[] { ("bos_token_id", BosTokenId), ("eos_token_id", EosTokenId), ("pad_token_id", PadTokenId) })
        {
            if (id < 0 || id >= VocabSize)
                return $"{name} is {id}; the vocabulary has ids 0 to {VocabSize - 1}.";
        }
        if (!(RmsNormEps > 0 && RopeTheta > 0))
            return $"rms_norm_eps ({RmsNormEps}) and rope_theta ({RopeTheta}) must be positive.";
        return null;
    }

    private void WriteTokenIds(Utf8JsonWriter w)
    {
        w.WriteNumber("bos_token_id", BosTokenId);
        w.WriteNumber("eos_token_id", EosTokenId);
        w.WriteNumber("pad_token_id", PadTokenId);
    }

    private static void WriteJson(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        write(writer);
        writer.WriteEndObject();
    });
}

using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Adapters;
using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Architectures;

/// <summary>
/// The Llama decoder (Touvron et al. 2023): RMSNorm before each block, rotary positions, grouped-query attention, SwiGLU, optionally tied embeddings.
/// Parameters carry the names of Hugging Face checkpoints (<see cref="DecoderTensors"/>). Arithmetic is float32, products as <see cref="Precision"/> says. Owns its parameters.
/// </summary>
public sealed class LlamaForCausalLM : IDisposable
{
    private readonly RotaryEmbedding rotary;
    private readonly Block[] blocks;
    private readonly string head;

    /// <summary>A model with all parameters zero; fill <see cref="Parameters"/> before use.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="trainable">True when all parameters are to be trained; false for inference or when only an adapter is trained.</param>
    /// <exception cref="UnsupportedModelException">The head size is odd or the heads do not divide.</exception>
    public LlamaForCausalLM(ModelConfig config, bool trainable)
    {
        if (!config.IsPlainLlama)
            throw new UnsupportedModelException($"Training computes plain Llama models only; this checkpoint is {config.ModelType}, or a Llama with biases, scaled rotary positions or another activation.");
        if (config.HeadDim % 2 != 0) throw new UnsupportedModelException($"head_dim {config.HeadDim} is odd; rotary embeddings need an even one.");
        if (config.NumKeyValueHeads < 1 || config.NumAttentionHeads % config.NumKeyValueHeads != 0)
            throw new UnsupportedModelException($"num_attention_heads {config.NumAttentionHeads} is no multiple of num_key_value_heads {config.NumKeyValueHeads}.");
        Config = config;
        Parameters = new FlatParameters(DecoderTensors.Expected(config).Select(t => new ParameterShape(t.Name, t.Shape, t.Shape.Length > 1)), trainable);
        rotary = new RotaryEmbedding(config.HeadDim, config.MaxPositionEmbeddings, config.RopeTheta);
        blocks = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(i => new Block($"model.layers.{i}."))];
        head = config.TieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
    }

    /// <summary>Sizes and special token ids.</summary>
    public ModelConfig Config { get; }

    /// <summary>All weights.</summary>
    public FlatParameters Parameters { get; }

    /// <summary>Number format of the products with weights.</summary>
    public Precision Precision { get; set; }

    /// <summary>Low-rank update of the linear layers, or null. The model does not own it.</summary>
    public LoraAdapter? Adapter { get; set; }

    /// <summary>Applied to the token embeddings [rows · length, hidden] before the first block; null leaves them as they are. For noise in training.</summary>
    public Func<Tensor, Tensor>? OnEmbeddings { get; set; }

    /// <summary>Last hidden states, after the final norm: [rows · length, hidden].</summary>
    /// <param name="batch">Token rows; see <see cref="TokenBatch"/>.</param>
    public Tensor Hidden(TokenBatch batch)
    {
        long rows = batch.Rows, length = batch.Length;
        Tensor ids = tensor(batch.Ids);
        Tensor? mask = batch.Mask is null ? null : tensor(batch.Mask, [rows, 1, length, length]);
        var rotation = rotary.At(batch.Positions is null ? null : tensor(batch.Positions), rows, length);
        Tensor x = Parameters["model.embed_tokens.weight"].index_select(0, ids);
        if (OnEmbeddings is not null) x = OnEmbeddings(x);
        foreach (Block block in blocks)
        {
            x = x + Attention(block, Norm(x, block.InputNorm), rows, length, rotation, mask);
            Tensor h = Norm(x, block.PostNorm);
            x = x + Linear(block.Down, F.silu(Linear(block.Gate, h)) * Linear(block.Up, h));
        }
        return Norm(x, "model.norm.weight");
    }

    /// <summary>Scores over the vocabulary for hidden states [n, hidden]: [n, vocabulary].</summary>
    public Tensor Logits(Tensor hidden) => Product.Of(hidden, Parameters[head], Precision);

    /// <summary>
    /// Fills all parameters for training from nothing: norm scales 1, matrices from N(0, std²), and those that write into the residual stream
    /// scaled by 1/√(2·layers) (Radford et al. 2019). Depends on the seed only.
    /// </summary>
    public void Initialize(int seed, double std)
    {
        var random = new Random(seed);
        foreach (ParameterShape shape in Parameters.Shapes)
        {
            Span<float> target = Parameters.ValuesOf(shape.Name);
            bool intoResidual = shape.Name.EndsWith("o_proj.weight", StringComparison.Ordinal) || shape.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
            double scale = intoResidual ? std / Math.Sqrt(2.0 * Config.NumHiddenLayers) : std;
            if (shape.Shape.Length == 1) target.Fill(1);
            else for (int i = 0; i < target.Length; i++) target[i] = (float)(scale * Gaussian(random));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        rotary.Dispose();
        Parameters.Dispose();
    }

    private Tensor Attention(Block block, Tensor h, long rows, long length, (Tensor, Tensor) rotation, Tensor? mask)
    {
        int heads = Config.NumAttentionHeads, kvHeads = Config.NumKeyValueHeads, size = Config.HeadDim;
        Tensor q = rotary.Rotate(Linear(block.Query, h).view(rows, length, heads, size), rotation);
        Tensor k = rotary.Rotate(Linear(block.Key, h).view(rows, length, kvHeads, size), rotation);
        Tensor v = Linear(block.Value, h).view(rows, length, kvHeads, size);
        if (heads != kvHeads)
        {
            k = k.repeat_interleave(heads / kvHeads, 2);
            v = v.repeat_interleave(heads / kvHeads, 2);
        }
        // The kernel refuses a mask together with its own causal one: masks of packed rows are causal already.
        Tensor mixed = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), mask, 0, mask is null);
        return Linear(block.Output, mixed.transpose(1, 2).reshape(rows * length, heads * size));
    }

    private Tensor Linear(string name, Tensor x)
    {
        Tensor y = Product.Of(x, Parameters[name], Precision);
        return Adapter is null ? y : Adapter.Apply(name, x, y);
    }

    private Tensor Norm(Tensor x, string scale) => x * (x.square().mean([-1], true) + Config.RmsNormEps).rsqrt() * Parameters[scale];

    private static double Gaussian(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private sealed record Block(string Prefix)
    {
        public string InputNorm { get; } = Prefix + "input_layernorm.weight";
        public string PostNorm { get; } = Prefix + "post_attention_layernorm.weight";
        public string Query { get; } = Prefix + "self_attn.q_proj.weight";
        public string Key { get; } = Prefix + "self_attn.k_proj.weight";
        public string Value { get; } = Prefix + "self_attn.v_proj.weight";
        public string Output { get; } = Prefix + "self_attn.o_proj.weight";
        public string Gate { get; } = Prefix + "mlp.gate_proj.weight";
        public string Up { get; } = Prefix + "mlp.up_proj.weight";
        public string Down { get; } = Prefix + "mlp.down_proj.weight";
    }
}

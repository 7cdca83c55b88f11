using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Adapters;
using LlmOps.Training.Architectures.Kernels;
using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Architectures;

/// <summary>
/// The decoder of every <see cref="ModelFamily"/>, from Llama (Touvron et al. 2023) to GPT-2: norm, attention and MLP as the family's published code computes
/// them, driven by <see cref="ModelConfig"/>. Parameters carry the names and layouts of Hugging Face checkpoints (<see cref="DecoderTensors"/>). Arithmetic is
/// float32, products with weights as <see cref="Precision"/> says. Owns its parameters.
/// </summary>
public sealed class CausalLanguageModel : IDisposable
{
    private readonly DecoderTensors tensors;
    private readonly RotaryEmbedding?[] rotaries;
    private readonly Dictionary<(bool Sliding, bool Long), RotaryEmbedding> tables = [];
    private readonly int switchAt;
    private int stepSeed, passes;

    /// <summary>A model with all parameters zero; fill <see cref="Parameters"/> before use.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="trainable">True when all parameters are to be trained; false for inference or when only an adapter is trained.</param>
    /// <param name="heads">Further parameters beside those of the language model, such as a reward's head.</param>
    /// <exception cref="UnsupportedModelException">The sizes contradict each other.</exception>
    public CausalLanguageModel(ModelConfig config, bool trainable, IReadOnlyList<ParameterShape>? heads = null)
    {
        if (config.FindProblem() is { } problem) throw new UnsupportedModelException($"This model cannot be trained: {problem}");
        Config = config;
        tensors = new DecoderTensors(config);
        switchAt = RotaryTable.Of(config, sliding: false).SwitchAt;
        Parameters = new FlatParameters(DecoderTensors.Expected(config).Select(t => new ParameterShape(t.Name, t.Shape, t.Shape.Length > 1)).Concat(heads ?? []), trainable);
        rotaries = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(layer => config.HasRotary(layer) ? TableOf(config.Window(layer) is not null, longer: false) : null)];
    }

    /// <summary>Sizes and special token ids.</summary>
    public ModelConfig Config { get; }

    /// <summary>All weights.</summary>
    public FlatParameters Parameters { get; }

    /// <summary>Number format of the products with weights.</summary>
    public Precision Precision { get; set; }

    /// <summary>Where its tensors lie.</summary>
    public Device Device { get; private set; } = CPU;

    /// <summary>Scales losses of float16 training; null otherwise.</summary>
    internal LossScaler? Scaler { get; set; }

    /// <summary>Low-rank update of the linear layers, or null. The model does not own it.</summary>
    public LoraAdapter? Adapter { get; set; }

    /// <summary>Applied to the token embeddings [rows · length, hidden] before the first block; null leaves them as they are. For noise in training.</summary>
    public Func<Tensor, Tensor>? OnEmbeddings { get; set; }

    /// <summary>Share of the embeddings and of each block's output that is set to zero while gradients are recorded.</summary>
    public double Dropout { get; set; }

    /// <summary>Seeds the masks of the forward passes that follow; without it they are those of step 0.</summary>
    public void BeginStep(int seed) => (stepSeed, passes) = (seed, 0);

    /// <summary>
    /// Keeps only each layer's input for the backward pass and computes the rest again there: activations shrink to about one layer's, a step takes about a third longer.
    /// </summary>
    public bool RecomputeActivations { get; set; }

    /// <summary>Moves weights, adapter and tables.</summary>
    /// <param name="device">A processor or a GPU that libtorch was started with.</param>
    public void MoveTo(Device device)
    {
        Device = device;
        Parameters.MoveTo(device);
        Adapter?.Parameters.MoveTo(device);
        foreach (RotaryEmbedding table in tables.Values) table.MoveTo(device);
    }

    /// <summary>Values where the model's tensors lie.</summary>
    internal Tensor Place(long[] values) => tensor(values, device: Device);

    /// <inheritdoc cref="Place(long[])"/>
    internal Tensor Place(float[] values) => tensor(values, device: Device);

    /// <summary>Adds the gradients of a part's loss.</summary>
    internal void Backward(Tensor loss) => (Scaler is null ? loss : loss * Scaler.Scale).backward();

    /// <summary>Last hidden states, after the final norm: [rows · length, hidden].</summary>
    /// <param name="batch">Token rows; see <see cref="TokenBatch"/>.</param>
    public Tensor Hidden(TokenBatch batch)
    {
        long rows = batch.Rows, length = batch.Length;
        Tensor? positions = batch.Positions is null ? null : Place(batch.Positions);
        // As in the published code, one sequence beyond the switch turns the whole batch with the long frequencies.
        bool longer = switchAt < int.MaxValue && (batch.Positions?.Max() + 1 ?? length) > switchAt;
        var (masks, turns) = (new Dictionary<int, Tensor?>(), new Dictionary<RotaryEmbedding, Func<Tensor, Tensor>>());
        Tensor x = Embed(Place(batch.Ids), positions, rows, length);
        if (OnEmbeddings is not null) x = OnEmbeddings(x);
        DropoutNoise? noise = is_grad_enabled() ? new DropoutNoise(LengthBuckets.HashCodeOf(stepSeed, passes++)) : null;
        x = noise?.Apply(x, Dropout, 0) ?? x;
        for (int layer = 0; layer < Config.NumHiddenLayers; layer++)
        {
            RotaryEmbedding? rotary = rotaries[layer] is { } usual ? longer ? TableOf(Config.Window(layer) is not null, longer: true) : usual : null;
            if (rotary is not null && !turns.ContainsKey(rotary)) turns[rotary] = rotary.Turn(batch, positions, HostKernel.Takes(x));
            AttentionShape? documents = DocumentsOf(layer, batch, x);
            Tensor? mask = documents is null ? MaskOf(layer, batch, masks) : null;
            var at = new LayerInputs(layer, rows, length, rotary is null ? null : turns[rotary], documents, mask, noise);
            // What the backward pass needs it keeps by itself, and lets go of on its way; this scope must not hold it longer.
            using var scope = NewDisposeScope();
            x = (RecomputeActivations && noise is not null ? Recomputed.Run(x, input => Layer(input, at)) : Layer(x, at)).MoveToOuterDisposeScope();
        }
        return Norm(x, tensors.FinalNorm);
    }

    /// <summary>Scores over the vocabulary for hidden states [n, hidden]: [n, vocabulary].</summary>
    public Tensor Logits(Tensor hidden) => Capped(Product.Of(hidden, Parameters[tensors.Head], Precision), Config.FinalLogitSoftcapping);

    /// <summary>The head's weight when scores are a float32 product with it and nothing else; null otherwise.</summary>
    internal Tensor? PlainHead => Precision == Precision.Float32 && Config.FinalLogitSoftcapping is null ? Parameters[tensors.Head] : null;

    /// <summary>
    /// Fills all parameters for training from nothing: norms leave their input as it is, biases are 0, matrices from N(0, std²), and those that write into the
    /// residual stream scaled by 1/√(2·layers) (Radford et al. 2019). Depends on the seed only.
    /// </summary>
    public void Initialize(int seed, double std)
    {
        var random = new Random(seed);
        var intoResidual = Enumerable.Range(0, Config.NumHiddenLayers).SelectMany(i => new[] { tensors.Linear(i, Projection.Output).Name, tensors.Linear(i, Projection.Down).Name }).ToHashSet();
        foreach (ParameterShape shape in Parameters.Shapes)
        {
            Span<float> target = Parameters.ValuesOf(shape.Name);
            if (shape.Shape.Length == 1)
            {
                target.Fill(shape.Name.EndsWith(".bias", StringComparison.Ordinal) || Config.Family.NormAddsOne ? 0 : 1);
                continue;
            }
            double scale = intoResidual.Contains(shape.Name) ? std / Math.Sqrt(2.0 * Config.NumHiddenLayers) : std;
            for (int i = 0; i < target.Length; i++) target[i] = (float)(scale * Gaussian(random));
        }
    }

    /// <summary>The stored weights of all linear layers except the output head, and whether they are [in, out] (GPT-2) rather than [out, in].</summary>
    public IReadOnlyList<(string Name, bool InputsFirst)> LinearLayers =>
        [.. Enumerable.Range(0, Config.NumHiddenLayers).SelectMany(layer => tensors.Projections.Select(p => tensors.Linear(layer, p))).Where(s => s.Start == 0).Select(s => (s.Name, s.InputsFirst))];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (RotaryEmbedding table in tables.Values) table.Dispose();
        Parameters.Dispose();
    }

    private Tensor Embed(Tensor ids, Tensor? positions, long rows, long length)
    {
        Tensor x = Parameters[tensors.Embedding].index_select(0, ids);
        if (Config.Family.ScaledEmbedding) x = x * Math.Sqrt(Config.HiddenSize);
        if (!Config.Family.LearnedPositions) return x;
        Tensor table = Parameters[tensors.Positions];
        return positions is null
            ? (x.view(rows, length, -1) + table.narrow(0, 0, length)).view(rows * length, -1)
            : x + table.index_select(0, positions);
    }

    private Tensor Layer(Tensor x, LayerInputs at)
    {
        Tensor mixed = Attention(Norm(x, tensors.InputNorm(at.Layer)), at);
        if (Config.Family.NormAfterBlock) mixed = Norm(mixed, tensors.AfterAttentionNorm(at.Layer));
        x = x + Dropped(mixed, at, 1);
        Tensor h = Norm(x, tensors.MlpNorm(at.Layer));
        Tensor inner = Config.Family.GatedMlp ? Gated(h, at) : Activate(Linear(h, at, Projection.Up));
        Tensor down = Linear(inner, at, Projection.Down);
        if (Config.Family.NormAfterBlock) down = Norm(down, tensors.AfterMlpNorm(at.Layer));
        return x + Dropped(down, at, 2);
    }

    private Tensor Gated(Tensor h, LayerInputs at)
    {
        if (Config.Family.Layout != TensorLayout.Fused) return Gate(Linear(h, at, Projection.Gate), Linear(h, at, Projection.Up));
        Tensor both = Whole(h, tensors.Linear(at.Layer, Projection.Gate), at);
        return Gate(both.narrow(-1, 0, Config.IntermediateSize), both.narrow(-1, Config.IntermediateSize, Config.IntermediateSize));
    }

    private Tensor Attention(Tensor h, LayerInputs at)
    {
        int heads = Config.NumAttentionHeads, kvHeads = Config.NumKeyValueHeads, size = Config.HeadDim;
        var (q, k, v) = QueriesKeysValues(h, at);
        if (Config.Family.QueryKeyNorm) (q, k) = (Norm(q, tensors.QueryNorm(at.Layer)), Norm(k, tensors.KeyNorm(at.Layer)));
        if (at.Turn is { } turn) (q, k) = (turn(q), turn(k));
        if (at.Documents is { } documents) return Linear(DocumentAttention.Of(q, k, v, documents), at, Projection.Output);
        if (heads != kvHeads)
        {
            k = k.repeat_interleave(heads / kvHeads, 2);
            v = v.repeat_interleave(heads / kvHeads, 2);
        }
        (q, k, v) = (q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2));
        Tensor mixed;
        if (Config.AttnLogitSoftcapping is { } cap)
        {
            Tensor scores = Capped(q.matmul(k.transpose(2, 3)) * Config.AttentionScale, cap);
            mixed = (scores + (at.Mask ?? Causal(at.Length))).softmax(-1).matmul(v);
        }
        else
        {
            // The kernel divides by √size; another scale is put into the queries. It refuses a mask together with its own causal one: masks here are causal already.
            double factor = Config.AttentionScale * Math.Sqrt(size);
            mixed = F.scaled_dot_product_attention(Math.Abs(factor - 1) < 1e-9 ? q : q * factor, k, v, at.Mask, 0, at.Mask is null);
        }
        return Linear(mixed.transpose(1, 2).reshape(at.Rows * at.Length, heads * size), at, Projection.Output);
    }

    private (Tensor Q, Tensor K, Tensor V) QueriesKeysValues(Tensor h, LayerInputs at)
    {
        long queries = Config.NumAttentionHeads, keys = Config.NumKeyValueHeads, size = Config.HeadDim;
        Tensor Heads(Tensor all, long count) => all.view(at.Rows, at.Length, count, size);
        if (Config.Family.Layout == TensorLayout.Separate)
            return (Heads(Linear(h, at, Projection.Query), queries), Heads(Linear(h, at, Projection.Key), keys), Heads(Linear(h, at, Projection.Value), keys));
        Tensor fused = Whole(h, tensors.Linear(at.Layer, Projection.Query), at).view(at.Rows, at.Length, queries + 2 * keys, size);
        return (fused.narrow(2, 0, queries), fused.narrow(2, queries, keys), fused.narrow(2, queries + keys, keys));
    }

    private Tensor Linear(Tensor x, LayerInputs at, Projection projection) => Whole(x, tensors.Linear(at.Layer, projection), at);

    // A fused tensor is multiplied whole: its parts are cut from the output, and an adapter changes all of it.
    private Tensor Whole(Tensor x, LinearSource source, LayerInputs at)
    {
        Tensor weight = source.InputsFirst ? Parameters[source.Name].t() : Parameters[source.Name];
        Tensor? bias = source.Bias is null ? null : Parameters[source.Bias];
        Tensor y = Product.Of(x, weight, Precision);
        if (Adapter is not null) y = Adapter.Apply(source.Name, x, y, weight, at.Noise, at.Place);
        return bias is null ? y : y + bias;
    }

    private Tensor Norm(Tensor x, string name)
    {
        Tensor scale = Parameters[name + ".weight"];
        if (Config.Family.LayerNorm) return F.layer_norm(x, [Config.HiddenSize], scale, Parameters[name + ".bias"], Config.RmsNormEps);
        return RmsNorm.Of(x, scale, Config.RmsNormEps, Config.Family.NormAddsOne);
    }

    private Tensor Gate(Tensor gate, Tensor up) => Config.HiddenAct is "silu" or "swish" ? GatedSilu.Of(gate, up) : Activate(gate) * up;

    private Tensor Activate(Tensor x) => Config.HiddenAct switch
    {
        "silu" or "swish" => F.silu(x),
        "gelu" => F.gelu(x),
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => x * 0.5 * ((x + x.pow(3) * 0.044715) * Math.Sqrt(2 / Math.PI)).tanh().add(1),
        "relu" => F.relu(x),
        "relu2" => F.relu(x).square(),
        _ => throw new UnsupportedModelException($"The activation {Config.HiddenAct} is not computed in training."),
    };

    private static Tensor Capped(Tensor x, double? cap) => cap is { } c ? (x / c).tanh() * c : x;

    private Tensor Dropped(Tensor x, LayerInputs at, int place) => at.Noise?.Apply(x, Dropout, at.Place + place) ?? x;

    /// <summary>What computes a layer's attention document by document; null where that is not the same, or slower.</summary>
    private AttentionShape? DocumentsOf(int layer, TokenBatch batch, Tensor x)
    {
        int longest = batch.Documents.Max(d => d.Length);
        return Config.AttnLogitSoftcapping is null && longest <= DocumentAttention.LongestDocument && !(Config.Window(layer) < longest) && DocumentAttention.Takes(x, Config.HeadDim)
            ? new AttentionShape(batch.Documents, Config.NumAttentionHeads, Config.NumKeyValueHeads, Config.HeadDim, Config.AttentionScale)
            : null;
    }

    /// <summary>Additive mask of a layer: null for plain causal attention; packed documents, a window, or both otherwise.</summary>
    private Tensor? MaskOf(int layer, TokenBatch batch, Dictionary<int, Tensor?> made)
    {
        long rows = batch.Rows, length = batch.Length;
        int window = Config.Window(layer) is { } seen && seen < length ? seen : 0;
        if (made.TryGetValue(window, out Tensor? mask)) return mask;
        Tensor? packed = batch.IsPacked ? Place(batch.Mask()).view(rows, 1, length, length) : null;
        if (window == 0) return made[window] = packed;
        // Row t sees columns t - window + 1 … t. Places of a packed row are one after the other, so the same distance holds inside a document.
        Tensor within = ones(length, length, device: Device).tril().triu(1 - window);
        Tensor sliding = zeros(length, length, device: Device).masked_fill(within.eq(0), float.NegativeInfinity).view(1, 1, length, length);
        return made[window] = packed is null ? sliding : packed + sliding;
    }

    private Tensor Causal(long length) => zeros(length, length, device: Device).masked_fill(ones(length, length, device: Device).tril().eq(0), float.NegativeInfinity).view(1, 1, length, length);

    private RotaryEmbedding TableOf(bool sliding, bool longer)
    {
        if (tables.TryGetValue((sliding, longer), out RotaryEmbedding? known)) return known;
        var table = RotaryTable.Of(Config, sliding);
        var made = new RotaryEmbedding(longer && table.LongFrequencies is { } stretched ? stretched : table.Frequencies, table.Scale, Config.MaxPositionEmbeddings);
        made.MoveTo(Device);
        return tables[(sliding, longer)] = made;
    }

    private static double Gaussian(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private sealed record LayerInputs(int Layer, long Rows, long Length, Func<Tensor, Tensor>? Turn, AttentionShape? Documents, Tensor? Mask, DropoutNoise? Noise)
    {
        /// <summary>First of the numbers that tell this layer's masks apart.</summary>
        public int Place => 16 * (Layer + 1);
    }
}

using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Reference;

/// <summary>
/// The forward pass of every <see cref="ModelFamily"/> written as plainly as its published modelling code, straight from the checkpoint: no cache, no batching, no
/// fused weights, sums in double precision. It is the independent opinion that an exported graph is compared with; it is slow and is not for serving.
/// </summary>
public sealed class ReferenceDecoder : ICausalModel
{
    private readonly CheckpointFolder checkpoint;
    private readonly ModelConfig config;
    private readonly ReferenceMath math;
    private readonly string prefix;

    private ReferenceDecoder(CheckpointFolder checkpoint)
    {
        (this.checkpoint, config, math) = (checkpoint, checkpoint.Config, new(checkpoint.Weights));
        prefix = IsGpt2 ? checkpoint.Weights.Tensors.ContainsKey("wte.weight") ? "" : "transformer." : "model.";
    }

    /// <summary>Maps a checkpoint folder.</summary>
    /// <exception cref="InvalidModelException">The folder is not a whole checkpoint.</exception>
    /// <exception cref="UnsupportedModelException">The architecture is not supported.</exception>
    public static ReferenceDecoder Load(string hfFolder) => new(CheckpointFolder.Open(hfFolder));

    /// <summary>The configuration.</summary>
    public ModelConfig Config => config;

    /// <inheritdoc/>
    public int VocabularySize => config.VocabSize;

    /// <inheritdoc/>
    public int MaxLength => config.MaxPositionEmbeddings;

    private bool IsGpt2 => config.Family.Layout == TensorLayout.Gpt2;

    /// <inheritdoc/>
    public float[][] Logits(IReadOnlyList<int[]> sequences) => [.. sequences.Select(tokens => Forward(tokens, null))];

    /// <summary>One sequence, with a look at the residual stream.</summary>
    /// <param name="tokens">1 to <see cref="MaxLength"/> ids.</param>
    /// <param name="see">Called with <c>embedding</c>, <c>layer i attention</c> and <c>layer i MLP</c>, and the stream [tokens, hidden] after it, which must not be changed.</param>
    /// <returns>Logits [tokens, vocabulary].</returns>
    public float[] Forward(int[] tokens, Action<string, float[]>? see)
    {
        var x = Embed(tokens);
        see?.Invoke("embedding", x);
        for (var layer = 0; layer < config.NumHiddenLayers; layer++)
        {
            var name = $"{prefix}{(IsGpt2 ? "h" : "layers")}.{layer}.";
            var branch = Attention(layer, name, Norm(x, name + (IsGpt2 ? "ln_1" : "input_layernorm")), tokens.Length);
            Add(x, config.Family.NormAfterBlock ? Norm(branch, name + "post_attention_layernorm") : branch);
            see?.Invoke($"layer {layer} attention", x);
            branch = Mlp(name, Norm(x, name + (IsGpt2 ? "ln_2" : config.Family.NormAfterBlock ? "pre_feedforward_layernorm" : "post_attention_layernorm")));
            Add(x, config.Family.NormAfterBlock ? Norm(branch, name + "post_feedforward_layernorm") : branch);
            see?.Invoke($"layer {layer} MLP", x);
        }
        var logits = math.Linear(Norm(x, prefix + (IsGpt2 ? "ln_f" : "norm")), config.HiddenSize, config.TieWordEmbeddings ? EmbeddingName : "lm_head.weight");
        if (config.FinalLogitSoftcapping is { } cap)
            for (var i = 0; i < logits.Length; i++)
                logits[i] = (float)(cap * Math.Tanh(logits[i] / cap));
        return logits;
    }

    private string EmbeddingName => prefix + (IsGpt2 ? "wte.weight" : "embed_tokens.weight");

    private float[] Embed(int[] tokens)
    {
        var x = new float[tokens.Length * config.HiddenSize];
        var row = new float[config.HiddenSize];
        for (var t = 0; t < tokens.Length; t++)
        {
            var target = x.AsSpan(t * config.HiddenSize, config.HiddenSize);
            checkpoint.Weights.ReadFloat32(EmbeddingName, (long)tokens[t] * config.HiddenSize, target);
            if (config.Family.ScaledEmbedding)
                for (var i = 0; i < target.Length; i++)
                    target[i] *= (float)Math.Sqrt(config.HiddenSize);
            if (!config.Family.LearnedPositions)
                continue;
            checkpoint.Weights.ReadFloat32(prefix + "wpe.weight", (long)t * config.HiddenSize, row);
            for (var i = 0; i < target.Length; i++)
                target[i] += row[i];
        }
        return x;
    }

    private float[] Norm(float[] x, string name) => config.Family.LayerNorm
        ? math.LayerNorm(x, config.HiddenSize, name, config.RmsNormEps)
        : math.RmsNorm(x, config.HiddenSize, name + ".weight", config.RmsNormEps, config.Family.NormAddsOne ? 1 : 0);

    private float[] Attention(int layer, string name, float[] x, int length)
    {
        int size = config.HeadDim, heads = config.NumAttentionHeads, kvHeads = config.NumKeyValueHeads;
        var (q, k, v) = QueriesKeysValues(name, x, length);
        if (config.Family.QueryKeyNorm)
        {
            double plus = config.Family.NormAddsOne ? 1 : 0;
            q = math.RmsNorm(q, size, name + "self_attn.q_norm.weight", config.RmsNormEps, plus);
            k = math.RmsNorm(k, size, name + "self_attn.k_norm.weight", config.RmsNormEps, plus);
        }
        if (config.HasRotary(layer))
        {
            var table = RotaryTable.Of(config, config.Window(layer) is not null);
            Rotate(q, heads, length, table);
            Rotate(k, kvHeads, length, table);
        }
        var mixed = new float[length * heads * size];
        Parallel.For(0, heads * length, at => Attend(layer, q, k, v, mixed, at / length, at % length));
        return IsGpt2
            ? math.Conv1D(mixed, heads * size, name + "attn.c_proj.weight", name + "attn.c_proj.bias")
            : math.Linear(mixed, heads * size, name + "self_attn.o_proj.weight", config.OutputBias ? name + "self_attn.o_proj.bias" : null);
    }

    // Three tensors, or one whose outputs are cut as the family's own code cuts them.
    private (float[] Q, float[] K, float[] V) QueriesKeysValues(string name, float[] x, int length)
    {
        int hidden = config.HiddenSize, queries = config.NumAttentionHeads * config.HeadDim, keys = config.NumKeyValueHeads * config.HeadDim;
        if (config.Family.Layout == TensorLayout.Separate)
        {
            float[] One(string part) => math.Linear(x, hidden, $"{name}self_attn.{part}.weight", config.QueryKeyValueBias ? $"{name}self_attn.{part}.bias" : null);
            return (One("q_proj"), One("k_proj"), One("v_proj"));
        }
        var all = IsGpt2
            ? math.Conv1D(x, hidden, name + "attn.c_attn.weight", name + "attn.c_attn.bias")
            : math.Linear(x, hidden, name + "self_attn.qkv_proj.weight", config.QueryKeyValueBias ? name + "self_attn.qkv_proj.bias" : null);
        return (Columns(all, length, 0, queries), Columns(all, length, queries, keys), Columns(all, length, queries + keys, keys));
    }

    private static float[] Columns(float[] all, int rows, int start, int count)
    {
        var width = all.Length / rows;
        var part = new float[rows * count];
        for (var r = 0; r < rows; r++)
            all.AsSpan(r * width + start, count).CopyTo(part.AsSpan(r * count));
        return part;
    }

    private void Attend(int layer, float[] q, float[] k, float[] v, float[] mixed, int head, int position)
    {
        int size = config.HeadDim, heads = config.NumAttentionHeads, kvHeads = config.NumKeyValueHeads, kv = head / (heads / kvHeads);
        var first = config.Window(layer) is { } window ? Math.Max(0, position - window + 1) : 0;
        var query = q.AsSpan((position * heads + head) * size, size);
        var scores = new double[position + 1 - first];
        for (var s = 0; s < scores.Length; s++)
        {
            scores[s] = ReferenceMath.Dot(query, k.AsSpan(((first + s) * kvHeads + kv) * size, size)) * config.AttentionScale;
            if (config.AttnLogitSoftcapping is { } cap)
                scores[s] = cap * Math.Tanh(scores[s] / cap);
        }
        var max = scores.Max();
        var sum = 0.0;
        for (var s = 0; s < scores.Length; s++)
            sum += scores[s] = Math.Exp(scores[s] - max);
        for (var i = 0; i < size; i++)
        {
            var value = 0.0;
            for (var s = 0; s < scores.Length; s++)
                value += scores[s] * v[((first + s) * kvHeads + kv) * size + i];
            mixed[(position * heads + head) * size + i] = (float)(value / sum);
        }
    }

    // Half-split rotary embedding: (a, b) -> (a cos - b sin, b cos + a sin).
    private void Rotate(float[] x, int heads, int length, RotaryTable table)
    {
        var frequencies = length > table.SwitchAt ? table.LongFrequencies! : table.Frequencies;
        var half = frequencies.Length;
        for (var position = 0; position < length; position++)
            for (var head = 0; head < heads; head++)
                for (var i = 0; i < half; i++)
                {
                    var at = (position * heads + head) * config.HeadDim + i;
                    double angle = position * frequencies[i], cos = Math.Cos(angle) * table.Scale, sin = Math.Sin(angle) * table.Scale, a = x[at], b = x[at + half];
                    (x[at], x[at + half]) = ((float)(a * cos - b * sin), (float)(b * cos + a * sin));
                }
    }

    private float[] Mlp(string name, float[] x)
    {
        int hidden = config.HiddenSize, inner = config.IntermediateSize, rows = x.Length / hidden;
        string? Bias(string part) => config.MlpBias ? $"{name}mlp.{part}.bias" : null;
        if (IsGpt2)
        {
            var up = math.Conv1D(x, hidden, name + "mlp.c_fc.weight", name + "mlp.c_fc.bias");
            return math.Conv1D([.. up.Select(u => ReferenceMath.Activate(config.HiddenAct, u))], inner, name + "mlp.c_proj.weight", name + "mlp.c_proj.bias");
        }
        float[] gate, upper;
        if (config.Family.Layout == TensorLayout.Fused)
        {
            var both = math.Linear(x, hidden, name + "mlp.gate_up_proj.weight", Bias("gate_up_proj"));
            (gate, upper) = (Columns(both, rows, 0, inner), Columns(both, rows, inner, inner));
        }
        else
            (gate, upper) = (math.Linear(x, hidden, name + "mlp.gate_proj.weight", Bias("gate_proj")), math.Linear(x, hidden, name + "mlp.up_proj.weight", Bias("up_proj")));
        for (var i = 0; i < gate.Length; i++)
            gate[i] = ReferenceMath.Activate(config.HiddenAct, gate[i]) * upper[i];
        return math.Linear(gate, inner, name + "mlp.down_proj.weight", Bias("down_proj"));
    }

    private static void Add(float[] x, float[] branch)
    {
        for (var i = 0; i < x.Length; i++)
            x[i] += branch[i];
    }

    /// <summary>Unmaps the checkpoint.</summary>
    public void Dispose() => checkpoint.Dispose();
}

using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;

namespace LlmOps.TestKit;

/// <summary>
/// A Llama forward pass written as plainly as the formulas, in double precision, with no cache and no batching: the independent opinion that
/// exported graphs are compared with.
/// </summary>
public sealed class ReferenceLlama : ICausalModel
{
    private readonly ModelConfig config;
    private readonly Dictionary<string, double[]> weights = [];

    public ReferenceLlama(string hfFolder)
    {
        using var checkpoint = CheckpointFolder.Open(hfFolder);
        config = checkpoint.Config;
        foreach (var (name, _) in DecoderTensors.Expected(config))
            weights[name] = [.. checkpoint.Weights.ReadFloat32(name).Select(w => (double)w)];
    }

    public int VocabularySize => config.VocabSize;
    public int MaxLength => config.MaxPositionEmbeddings;

    public float[][] Logits(IReadOnlyList<int[]> sequences) => [.. sequences.Select(Forward)];

    private float[] Forward(int[] tokens)
    {
        var embedding = weights["model.embed_tokens.weight"];
        var x = tokens.Select(t => embedding.AsSpan(t * config.HiddenSize, config.HiddenSize).ToArray()).ToArray();
        for (var layer = 0; layer < config.NumHiddenLayers; layer++)
        {
            var name = $"model.layers.{layer}.";
            Add(x, Attention(name + "self_attn.", Norm(x, name + "input_layernorm.weight")));
            Add(x, Mlp(name + "mlp.", Norm(x, name + "post_attention_layernorm.weight")));
        }
        var head = config.TieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
        return [.. Norm(x, "model.norm.weight").SelectMany(row => Linear(row, head)).Select(v => (float)v)];
    }

    private double[][] Attention(string name, double[][] x)
    {
        int size = config.HeadDim, group = config.NumAttentionHeads / config.NumKeyValueHeads;
        var q = x.Select((row, p) => Rotate(Linear(row, name + "q_proj.weight"), p)).ToArray();
        var k = x.Select((row, p) => Rotate(Linear(row, name + "k_proj.weight"), p)).ToArray();
        var v = x.Select(row => Linear(row, name + "v_proj.weight")).ToArray();
        return [.. x.Select((_, p) =>
        {
            var output = new double[config.NumAttentionHeads * size];
            for (var h = 0; h < config.NumAttentionHeads; h++)
            {
                var kv = h / group * size;
                var scores = Enumerable.Range(0, p + 1).Select(s => Enumerable.Range(0, size).Sum(i => q[p][h * size + i] * k[s][kv + i]) / Math.Sqrt(size)).ToArray();
                var max = scores.Max();
                var sum = scores.Sum(s => Math.Exp(s - max));
                for (var s = 0; s <= p; s++)
                    for (var i = 0; i < size; i++)
                        output[h * size + i] += Math.Exp(scores[s] - max) / sum * v[s][kv + i];
            }
            return Linear(output, name + "o_proj.weight");
        })];
    }

    // Half-split rotary embedding: (a, b) -> (a cos - b sin, b cos + a sin), angle = position * theta^(-2i/head).
    private double[] Rotate(double[] heads, int position)
    {
        int size = config.HeadDim, half = size / 2;
        for (var start = 0; start < heads.Length; start += size)
            for (var i = 0; i < half; i++)
            {
                var angle = position * Math.Pow(config.RopeTheta, -2.0 * i / size);
                double a = heads[start + i], b = heads[start + half + i];
                heads[start + i] = a * Math.Cos(angle) - b * Math.Sin(angle);
                heads[start + half + i] = b * Math.Cos(angle) + a * Math.Sin(angle);
            }
        return heads;
    }

    private double[][] Mlp(string name, double[][] x) =>
    [
        .. x.Select(row =>
        {
            double[] gate = Linear(row, name + "gate_proj.weight"), up = Linear(row, name + "up_proj.weight");
            return Linear([.. gate.Select((g, i) => g / (1 + Math.Exp(-g)) * up[i])], name + "down_proj.weight");
        }),
    ];

    private double[][] Norm(double[][] x, string name) =>
        [.. x.Select(row => { var rms = Math.Sqrt(row.Average(v => v * v) + config.RmsNormEps); return row.Select((v, i) => v / rms * weights[name][i]).ToArray(); })];

    private double[] Linear(double[] x, string name)
    {
        var w = weights[name];
        var y = new double[w.Length / x.Length];
        for (var o = 0; o < y.Length; o++)
            for (var i = 0; i < x.Length; i++)
                y[o] += w[o * x.Length + i] * x[i];
        return y;
    }

    private static void Add(double[][] x, double[][] branch)
    {
        for (var p = 0; p < x.Length; p++)
            for (var i = 0; i < x[p].Length; i++)
                x[p][i] += branch[p][i];
    }

    public void Dispose()
    {
    }
}

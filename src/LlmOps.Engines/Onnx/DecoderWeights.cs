using System.Numerics.Tensors;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Streams checkpoint tensors into the ONNX file in the layout that the graph's nodes want.</summary>
internal sealed class DecoderWeights(CheckpointFolder checkpoint, OnnxWriter writer, GraphProto graph, IProgress<double>? progress, CancellationToken ct)
{
    private readonly ModelConfig config = checkpoint.Config;
    private long written;

    public void WriteAll()
    {
        int heads = config.NumAttentionHeads * config.HeadDim, kv = config.NumKeyValueHeads * config.HeadDim;
        Copy("model.embed_tokens.weight", DecoderGraph.Embedding, config.VocabSize, config.HiddenSize);
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var layer = $"model.layers.{i}";
            Copy($"{layer}.input_layernorm.weight", $"{layer}.input_layernorm.weight", config.HiddenSize);
            Copy($"{layer}.post_attention_layernorm.weight", $"{layer}.post_attention_layernorm.weight", config.HiddenSize);
            // One matrix product instead of three: GroupQueryAttention takes queries, keys and values side by side.
            Transpose($"{layer}.attn.qkv_proj.MatMul.weight", config.HiddenSize, ($"{layer}.self_attn.q_proj.weight", heads),
                ($"{layer}.self_attn.k_proj.weight", kv), ($"{layer}.self_attn.v_proj.weight", kv));
            Transpose($"{layer}.attn.o_proj.MatMul.weight", heads, ($"{layer}.self_attn.o_proj.weight", config.HiddenSize));
            Transpose($"{layer}.mlp.gate_proj.MatMul.weight", config.HiddenSize, ($"{layer}.mlp.gate_proj.weight", config.IntermediateSize));
            Transpose($"{layer}.mlp.up_proj.MatMul.weight", config.HiddenSize, ($"{layer}.mlp.up_proj.weight", config.IntermediateSize));
            Transpose($"{layer}.mlp.down_proj.MatMul.weight", config.IntermediateSize, ($"{layer}.mlp.down_proj.weight", config.HiddenSize));
        }
        Copy("model.norm.weight", DecoderGraph.FinalNorm, config.HiddenSize);
        if (!config.TieWordEmbeddings)
            Copy("lm_head.weight", DecoderGraph.UntiedHead, config.VocabSize, config.HiddenSize);
        RotaryCaches();
        graph.Initializer.Add(writer.Write<long>(DecoderGraph.One, ElementTypes.Int64, [1], [1]));
        graph.Initializer.Add(writer.Write<long>(DecoderGraph.OneScalar, ElementTypes.Int64, [], [1]));
    }

    private void Copy(string source, string name, params long[] dims) =>
        graph.Initializer.Add(writer.Write<float>(name, ElementTypes.Float, dims, Read(source)));

    // PyTorch keeps [out, in]; MatMul wants [in, out].
    private void Transpose(string name, int inputs, params (string Source, int Outputs)[] parts)
    {
        var total = parts.Sum(part => part.Outputs);
        var target = new float[(long)inputs * total];
        var column = 0;
        foreach (var (source, outputs) in parts)
        {
            Matrix.Transpose(Read(source), outputs, inputs, target, total, column);
            column += outputs;
        }
        graph.Initializer.Add(writer.Write<float>(name, ElementTypes.Float, [inputs, total], target));
    }

    private float[] Read(string source)
    {
        ct.ThrowIfCancellationRequested();
        var values = checkpoint.Weights.ReadFloat32(source);
        // The sum is finite only when every value is (or when they overflow together, which no trained weight does).
        if (!float.IsFinite(TensorPrimitives.Sum<float>(values)))
            throw new InvalidModelException($"Tensor '{source}' holds NaN or infinity.");
        progress?.Report((written += values.Length) / (double)config.ParameterCount);
        return values;
    }

    // RoPE, half-split layout: row p holds cos and sin of p * theta^(-2i/head). Angles in double: single precision drifts for late positions.
    private void RotaryCaches()
    {
        int half = config.HeadDim / 2, rows = config.MaxPositionEmbeddings;
        float[] cos = new float[rows * half], sin = new float[rows * half];
        for (var p = 0; p < rows; p++)
            for (var i = 0; i < half; i++)
            {
                var angle = p * Math.Pow(config.RopeTheta, -2.0 * i / config.HeadDim);
                (cos[p * half + i], sin[p * half + i]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
            }
        graph.Initializer.Add(writer.Write<float>(DecoderGraph.CosCache, ElementTypes.Float, [rows, half], cos));
        graph.Initializer.Add(writer.Write<float>(DecoderGraph.SinCache, ElementTypes.Float, [rows, half], sin));
    }
}

using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Streams an encoder's tensors into the ONNX file in the layout that the graph's nodes want: linear weights [in, out], queries, keys and values side by side.</summary>
internal sealed class EncoderWeights(EncoderCheckpoint checkpoint, OnnxWriter writer, GraphProto graph, IProgress<double>? progress, CancellationToken ct)
{
    private readonly EncoderConfig config = checkpoint.Config;
    private long written;

    public void WriteAll()
    {
        Add(EncoderGraph.Words, [config.VocabSize, config.HiddenSize], Read(EncoderTensors.Words));
        AddPositions();
        if (config.RelativeBuckets > 0)
            AddRelativeBias();
        AddNorm(EncoderTensors.Norm, EncoderGraph.EmbeddingNorm);
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var (source, target) = (EncoderTensors.Layer(config.ModelType, i), EncoderGraph.LayerWeights(i));
            AddLinear($"{target}.attention.qkv", config.HiddenSize, config.HiddenSize, source.Query, source.Key, source.Value);
            AddLinear($"{target}.attention.output", config.HiddenSize, config.HiddenSize, source.Projection);
            AddNorm(source.AttentionNorm, $"{target}.attention.LayerNorm");
            AddLinear($"{target}.intermediate", config.HiddenSize, config.IntermediateSize, source.Inner);
            AddLinear($"{target}.output", config.IntermediateSize, config.HiddenSize, source.Outer);
            AddNorm(source.OutputNorm, $"{target}.LayerNorm");
        }
    }

    // A single token type is the same row for every token: it goes into the positions, and the graph needs no third input.
    private void AddPositions()
    {
        var positions = Read(EncoderTensors.Positions);
        if (config.TypeVocabSize > 1)
            Add(EncoderGraph.Types, [config.TypeVocabSize, config.HiddenSize], Read(EncoderTensors.Types));
        else if (config.TypeVocabSize == 1)
        {
            var row = Read(EncoderTensors.Types);
            for (var i = 0; i < positions.Length; i++)
                positions[i] += row[i % row.Length];
        }
        Add(EncoderGraph.Positions, [config.MaxPositionEmbeddings, config.HiddenSize], positions);
    }

    // [heads, 2·max − 1]: one column for each distance between two positions, so that the graph looks up instead of taking logarithms.
    private void AddRelativeBias()
    {
        int span = 2 * config.MaxTokens - 1, heads = config.NumAttentionHeads;
        var buckets = Read(EncoderTensors.RelativeBias);
        var table = new float[heads * span];
        for (var d = 0; d < span; d++)
        {
            var bucket = RelativeBuckets.Of(d - (config.MaxTokens - 1), config.RelativeBuckets);
            for (var head = 0; head < heads; head++)
                table[head * span + d] = buckets[bucket * heads + head];
        }
        Add(EncoderGraph.RelativeBias, [heads, span], table);
    }

    private void AddNorm(string source, string name)
    {
        Add($"{name}.weight", [config.HiddenSize], Read($"{source}.weight"));
        Add($"{name}.bias", [config.HiddenSize], Read($"{source}.bias"));
    }

    private void AddLinear(string name, int inputs, int outputs, params string[] parts)
    {
        var total = outputs * parts.Length;
        float[] weight = new float[(long)inputs * total], bias = new float[total];
        foreach (var (i, part) in parts.Index())
        {
            Matrix.Transpose(Read($"{part}.weight"), outputs, inputs, weight, total, i * outputs);
            Read($"{part}.bias").CopyTo(bias, i * outputs);
        }
        Add($"{name}.MatMul.weight", [inputs, total], weight);
        Add($"{name}.bias", [total], bias);
    }

    private void Add(string name, long[] dims, float[] values) => graph.Initializer.Add(writer.Write<float>(name, ElementTypes.Float, dims, values));

    private float[] Read(string source)
    {
        ct.ThrowIfCancellationRequested();
        var values = checkpoint.ReadFloat32(source);
        progress?.Report((written += values.Length) / (double)config.ParameterCount);
        return values;
    }
}

/// <summary>Bidirectional relative position buckets (Raffel et al. 2020, as T5 and MPNet use them, largest distance 128).</summary>
internal static class RelativeBuckets
{
    private const int LargestDistance = 128;

    /// <param name="distance">Position of the key minus position of the query.</param>
    /// <param name="buckets">Number of buckets, half of them for keys ahead.</param>
    public static int Of(int distance, int buckets)
    {
        int half = buckets / 2, exact = half / 2, ahead = distance > 0 ? half : 0, far = Math.Abs(distance);
        if (far < exact)
            return ahead + far;
        var logarithmic = exact + (int)(MathF.Log((float)far / exact) / MathF.Log((float)LargestDistance / exact) * (half - exact));
        return ahead + Math.Min(logarithmic, half - 1);
    }
}

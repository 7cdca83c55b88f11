using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Streams checkpoint tensors into the ONNX file in the layout that the graph's nodes want. Tensors go through in panels, so that memory does not grow with the model,
/// nor with its largest matrix.
/// </summary>
internal sealed class DecoderWeights(CheckpointFolder checkpoint, OnnxWriter writer, GraphProto graph, IProgress<double>? progress, CancellationToken ct)
{
    private const int PanelValues = 1 << 21, PanelRows = 256, BlockRows = 64;
    private readonly ModelConfig config = checkpoint.Config;
    private readonly DecoderTensors tensors = checkpoint.Tensors;
    private float[] panel = [];
    private long written;

    public void WriteAll()
    {
        Copy(tensors.Embedding, DecoderGraph.Embedding);
        if (config.Family.LearnedPositions)
            Copy(tensors.Positions, DecoderGraph.PositionTable);
        for (var i = 0; i < config.NumHiddenLayers; i++)
            Layer(i, $"model.layers.{i}");
        Norm(tensors.FinalNorm, "model.norm");
        if (!config.TieWordEmbeddings)
            Copy(tensors.Head, DecoderGraph.UntiedHead);
        RotaryCaches();
    }

    private void Layer(int i, string name)
    {
        var sandwich = config.Family.NormAfterBlock;
        Norm(tensors.InputNorm(i), $"{name}.input_layernorm");
        // One matrix product instead of three: attention takes queries, keys and values side by side.
        Linear($"{name}.attn.qkv_proj", i, Projection.Query, Projection.Key, Projection.Value);
        if (config.Family.QueryKeyNorm)
        {
            Norm(tensors.QueryNorm(i), $"{name}.attn.q_norm");
            Norm(tensors.KeyNorm(i), $"{name}.attn.k_norm");
        }
        Linear($"{name}.attn.o_proj", i, Projection.Output);
        if (sandwich)
            Norm(tensors.AfterAttentionNorm(i), $"{name}.post_attention_layernorm");
        Norm(tensors.MlpNorm(i), $"{name}.{(sandwich ? "pre_feedforward_layernorm" : "post_attention_layernorm")}");
        if (config.Family.GatedMlp)
            Linear($"{name}.mlp.gate_proj", i, Projection.Gate);
        Linear($"{name}.mlp.up_proj", i, Projection.Up);
        Linear($"{name}.mlp.down_proj", i, Projection.Down);
        if (sandwich)
            Norm(tensors.AfterMlpNorm(i), $"{name}.post_feedforward_layernorm");
    }

    private void Norm(string source, string name)
    {
        Copy($"{source}.weight", $"{name}.weight", config.Family.NormAddsOne ? 1 : 0);
        if (config.Family.LayerNorm && checkpoint.Weights.Tensors.ContainsKey($"{source}.bias"))
            Copy($"{source}.bias", $"{name}.bias");
    }

    private void Copy(string source, string name, float plus = 0)
    {
        var shape = checkpoint.Weights.Tensors[source].Shape;
        graph.Initializer.Add(writer.WriteStreamed(name, ElementTypes.Float, shape, stream =>
        {
            long count = shape.Aggregate(1L, (a, b) => a * b);
            for (long start = 0; start < count; start += PanelValues)
            {
                ct.ThrowIfCancellationRequested();
                var values = Panel((int)Math.Min(PanelValues, count - start));
                Read(source, start, values.Length, plus);
                Write(stream, values);
            }
        }));
    }

    // Into the panel, in parallel: a table of embeddings is the largest tensor of many models.
    private void Read(string source, long start, int count, float plus)
    {
        const int part = PanelValues / 16;
        var finite = true;
        Parallel.For(0, (count + part - 1) / part, i =>
        {
            var values = panel.AsSpan(i * part, Math.Min(part, count - i * part));
            checkpoint.Weights.ReadFloat32(source, start + i * part, values);
            if (!float.IsFinite(TensorPrimitives.Sum<float>(values)))
                finite = false;
            if (plus != 0)
                TensorPrimitives.Add(values, plus, values);
        });
        if (!finite)
            throw CheckpointFolder.NotFinite(source);
    }

    // PyTorch keeps [out, in]; MatMul wants [in, out].
    private void Linear(string name, int layer, params Projection[] projections)
    {
        var parts = projections.Select(p => tensors.Linear(layer, p)).ToArray();
        int inputs = parts[0].Inputs, total = parts.Sum(part => part.Outputs);
        graph.Initializer.Add(writer.WriteStreamed($"{name}.MatMul.weight", ElementTypes.Float, [inputs, total], stream =>
        {
            var rows = Math.Clamp(PanelValues / total, 1, PanelRows);
            for (var first = 0; first < inputs; first += rows)
            {
                ct.ThrowIfCancellationRequested();
                var count = Math.Min(rows, inputs - first);
                var column = 0;
                Panel(count * total);
                foreach (var part in parts)
                {
                    FillPanel(part, first, count, total, column);
                    column += part.Outputs;
                }
                Write(stream, panel.AsSpan(0, count * total));
            }
        }));
        if (parts[0].Bias is null)
            return;
        var biases = new float[total];
        var at = 0;
        foreach (var part in parts)
        {
            checkpoint.Weights.ReadFloat32(part.Bias!, part.Start, biases.AsSpan(at, part.Outputs));
            CheckpointFolder.EnsureFinite(part.Bias!, biases.AsSpan(at, part.Outputs));
            at += part.Outputs;
        }
        graph.Initializer.Add(writer.Write<float>($"{name}.Add.bias", ElementTypes.Float, [total], biases));
    }

    // Rows first…first + count of the transposed matrix, into the panel's columns from `column`.
    private void FillPanel(LinearSource part, int first, int count, int total, int column)
    {
        var weights = checkpoint.Weights;
        if (part.InputsFirst)
        {
            for (var row = 0; row < count; row++)
            {
                var target = panel.AsSpan(row * total + column, part.Outputs);
                weights.ReadFloat32(part.Name, (long)(first + row) * part.TotalOutputs + part.Start, target);
                CheckpointFolder.EnsureFinite(part.Name, target);
            }
            return;
        }
        var blocks = (part.Outputs + BlockRows - 1) / BlockRows;
        var finite = true;
        Parallel.For(0, blocks, new ParallelOptions { CancellationToken = ct }, () => new float[BlockRows * count], (block, _, rows) =>
        {
            int start = block * BlockRows, height = Math.Min(BlockRows, part.Outputs - start);
            for (var r = 0; r < height; r++)
                weights.ReadFloat32(part.Name, (long)(part.Start + start + r) * part.Inputs + first, rows.AsSpan(r * count, count));
            if (!float.IsFinite(TensorPrimitives.Sum<float>(rows.AsSpan(0, height * count))))
                finite = false;
            Matrix.Transpose<float>(rows, height, count, panel, total, column + start);
            return rows;
        }, _ => { });
        if (!finite)
            throw CheckpointFolder.NotFinite(part.Name);
    }

    private Span<float> Panel(int values)
    {
        if (panel.Length < values)
            panel = new float[values];
        return panel.AsSpan(0, values);
    }

    private void Write(Stream stream, ReadOnlySpan<float> values)
    {
        stream.Write(MemoryMarshal.AsBytes(values));
        progress?.Report(Math.Min(1, (written += values.Length) / (double)config.ParameterCount));
    }

    /// <summary>The cosines and sines of a layer; layers that turn alike share them.</summary>
    public static (string Cos, string Sin) RotaryNames(ModelConfig config, int layer) =>
        config.RopeLocalTheta is not null && config.Window(layer) is not null ? ("cos_cache_local", "sin_cache_local") : ("cos_cache", "sin_cache");

    private void RotaryCaches()
    {
        var done = new HashSet<string>();
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var (cos, sin) = RotaryNames(config, i);
            if (config.HasRotary(i) && done.Add(cos))
                RotaryCache(RotaryTable.Of(config, config.Window(i) is not null), cos, sin);
        }
    }

    // Half-split layout: row p holds cos and sin of p · frequency. Angles in double: single precision drifts for late positions. longrope's second table follows below the first.
    private void RotaryCache(RotaryTable table, string cosName, string sinName)
    {
        var half = table.Frequencies.Length;
        int first = Math.Min(table.SwitchAt, config.MaxPositionEmbeddings), rows = table.LongFrequencies is null ? first : first + config.MaxPositionEmbeddings;
        foreach (var (name, function) in new (string, Func<double, double>)[] { (cosName, Math.Cos), (sinName, Math.Sin) })
        {
            graph.Initializer.Add(writer.WriteStreamed(name, ElementTypes.Float, [rows, half], stream =>
            {
                var row = new float[half];
                for (var r = 0; r < rows; r++)
                {
                    var (frequencies, position) = r < first ? (table.Frequencies, r) : (table.LongFrequencies!, r - first);
                    for (var i = 0; i < half; i++)
                        row[i] = (float)(function(position * frequencies[i]) * table.Scale);
                    stream.Write(MemoryMarshal.AsBytes<float>(row));
                }
            }));
        }
    }
}

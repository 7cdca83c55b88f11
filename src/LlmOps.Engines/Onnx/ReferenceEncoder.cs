using System.Numerics.Tensors;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// The encoder's forward pass in double precision, written straight from the papers and sharing no code with the export: what an exported graph is
/// compared with. Weights are read from the checkpoint layer by layer, so that memory stays at about one matrix. One sequence at a time, no padding.
/// </summary>
public sealed class ReferenceEncoder : IDisposable
{
    private readonly EncoderCheckpoint checkpoint;
    private readonly EncoderConfig config;
    private readonly SentencePooling? pooling;

    private ReferenceEncoder(EncoderCheckpoint checkpoint, SentencePooling? pooling) => (this.checkpoint, config, this.pooling) = (checkpoint, checkpoint.Config, pooling);

    /// <summary>The configuration.</summary>
    public EncoderConfig Config => config;

    /// <summary>Opens a Hugging Face folder.</summary>
    /// <param name="hfFolder">The checkpoint.</param>
    /// <param name="pooling">Pooling; null takes what the folder says.</param>
    /// <exception cref="InvalidModelException">As for <see cref="EncoderCheckpoint.Open"/>.</exception>
    public static ReferenceEncoder Open(string hfFolder, SentencePooling? pooling = null) => new(EncoderCheckpoint.Open(hfFolder), pooling ?? SentencePooling.Read(hfFolder));

    /// <summary>Runs several sequences; each layer's weights are read once.</summary>
    /// <param name="sequences">Token ids and, with equal lengths, token types (null for zeros).</param>
    /// <returns>For each sequence its hidden states [tokens · hidden] after the embeddings, and after attention and feed-forward of every layer.</returns>
    public IReadOnlyList<EncoderTrace> Run(IReadOnlyList<(int[] Tokens, int[]? Types)> sequences)
    {
        var states = Embed(sequences);
        var stages = states.Select(s => new List<double[]> { s }).ToArray();
        var bias = config.RelativeBuckets > 0 ? checkpoint.ReadFloat32(EncoderTensors.RelativeBias) : null;
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var layer = EncoderTensors.Layer(config.ModelType, i);
            double[][] q = Linear(layer.Query, states), k = Linear(layer.Key, states), v = Linear(layer.Value, states);
            var mixed = Enumerable.Range(0, states.Length).Select(s => Attend(q[s], k[s], v[s], bias)).ToArray();
            states = AddAndNormalize(Linear(layer.Projection, mixed), states, layer.AttentionNorm);
            for (var s = 0; s < states.Length; s++)
                stages[s].Add(states[s]);
            var inner = Linear(layer.Inner, states);
            foreach (var values in inner)
                for (var n = 0; n < values.Length; n++)
                    values[n] = Activate(values[n]);
            states = AddAndNormalize(Linear(layer.Outer, inner), states, layer.OutputNorm);
            for (var s = 0; s < states.Length; s++)
                stages[s].Add(states[s]);
        }
        return [.. Enumerable.Range(0, states.Length).Select(s => new EncoderTrace(stages[s], pooling is null ? null : Pool(states[s])))];
    }

    private double[][] Embed(IReadOnlyList<(int[] Tokens, int[]? Types)> sequences)
    {
        var width = config.HiddenSize;
        float[] words = checkpoint.ReadFloat32(EncoderTensors.Words), positions = checkpoint.ReadFloat32(EncoderTensors.Positions);
        var kinds = config.TypeVocabSize > 0 ? checkpoint.ReadFloat32(EncoderTensors.Types) : null;
        return [.. sequences.Select(sequence =>
        {
            var (tokens, types) = sequence;
            var x = new double[tokens.Length * width];
            var position = config.PositionOffset;
            for (var t = 0; t < tokens.Length; t++)
            {
                // In RoBERTa's line a padding id inside the text keeps the padding's row and is not counted.
                var row = config.PositionOffset > 0 && tokens[t] == config.PadTokenId ? config.PositionOffset - 1 : position++;
                for (var h = 0; h < width; h++)
                    x[t * width + h] = words[tokens[t] * width + h] + (double)positions[row * width + h] + (kinds?[(types?[t] ?? 0) * width + h] ?? 0);
            }
            return Normalize(x, EncoderTensors.Norm);
        })];
    }

    // y = x·Wᵀ + b, W [out, in].
    private double[][] Linear(string module, double[][] inputs)
    {
        float[] weight = checkpoint.ReadFloat32($"{module}.weight"), bias = checkpoint.ReadFloat32($"{module}.bias");
        int outputs = bias.Length, width = weight.Length / outputs;
        var results = inputs.Select(x => new double[x.Length / width * outputs]).ToArray();
        Parallel.For(0, outputs, o =>
        {
            var row = new double[width];
            TensorPrimitives.ConvertTruncating<float, double>(weight.AsSpan(o * width, width), row);
            for (var s = 0; s < inputs.Length; s++)
                for (var t = 0; t < inputs[s].Length / width; t++)
                    results[s][t * outputs + o] = TensorPrimitives.Dot<double>(inputs[s].AsSpan(t * width, width), row) + bias[o];
        });
        return results;
    }

    private double[] Attend(double[] q, double[] k, double[] v, float[]? bias)
    {
        int width = config.HiddenSize, head = config.HeadDim, heads = config.NumAttentionHeads, length = q.Length / width;
        var mixed = new double[q.Length];
        Parallel.For(0, heads * length, work =>
        {
            int h = work % heads, t = work / heads;
            var scores = new double[length];
            for (var u = 0; u < length; u++)
            {
                scores[u] = TensorPrimitives.Dot<double>(q.AsSpan(t * width + h * head, head), k.AsSpan(u * width + h * head, head)) / Math.Sqrt(head);
                if (bias is not null)
                    scores[u] += bias[RelativeBuckets.Of(u - t, config.RelativeBuckets) * heads + h];
            }
            TensorPrimitives.SoftMax<double>(scores, scores);
            for (var u = 0; u < length; u++)
                for (var d = 0; d < head; d++)
                    mixed[t * width + h * head + d] += scores[u] * v[u * width + h * head + d];
        });
        return mixed;
    }

    private double[][] AddAndNormalize(double[][] branches, double[][] skipped, string norm)
    {
        for (var s = 0; s < branches.Length; s++)
            TensorPrimitives.Add<double>(branches[s], skipped[s], branches[s]);
        return [.. branches.Select(branch => Normalize(branch, norm))];
    }

    private double[] Normalize(double[] x, string norm)
    {
        float[] weight = checkpoint.ReadFloat32($"{norm}.weight"), bias = checkpoint.ReadFloat32($"{norm}.bias");
        var width = config.HiddenSize;
        for (var t = 0; t < x.Length; t += width)
        {
            var row = x.AsSpan(t, width);
            double mean = TensorPrimitives.Sum<double>(row) / width, square = 0;
            foreach (var value in row)
                square += (value - mean) * (value - mean);
            var scale = 1 / Math.Sqrt(square / width + config.LayerNormEps);
            for (var h = 0; h < width; h++)
                row[h] = (row[h] - mean) * scale * weight[h] + bias[h];
        }
        return x;
    }

    private double Activate(double x) => config.Activation switch
    {
        EncoderActivation.Relu => Math.Max(0, x),
        EncoderActivation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        _ => 0.5 * x * (1 + ErrorFunction.Of(x / Math.Sqrt(2))),
    };

    private double[] Pool(double[] states)
    {
        int width = config.HiddenSize, length = states.Length / width;
        var pooled = new double[width];
        for (var h = 0; h < width; h++)
        {
            var column = Enumerable.Range(0, length).Select(t => states[t * width + h]);
            pooled[h] = pooling!.Mode switch { PoolingMode.Cls => states[h], PoolingMode.Mean => column.Average(), _ => column.Max() };
        }
        if (pooling!.Normalize)
            TensorPrimitives.Divide<double>(pooled, TensorPrimitives.Norm<double>(pooled), pooled);
        return pooled;
    }

    /// <summary>Closes the checkpoint.</summary>
    public void Dispose() => checkpoint.Dispose();
}

/// <summary>What the reference computed for one sequence.</summary>
/// <param name="Stages">Hidden states [tokens · hidden] at the places that <see cref="EncoderParityReport"/> names.</param>
/// <param name="Sentence">The pooled vector; null without pooling.</param>
public sealed record EncoderTrace(IReadOnlyList<double[]> Stages, double[]? Sentence);

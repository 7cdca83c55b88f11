namespace LlmOps.Engines.Checkpoints;

/// <summary>A Hugging Face checkpoint folder whose weights are known to fit its configuration.</summary>
public sealed class CheckpointFolder : IDisposable
{
    /// <summary>File name of the weights.</summary>
    public const string WeightsFileName = CheckpointWeights.FileName;

    private CheckpointFolder(ModelConfig config, CheckpointWeights weights, DecoderTensors tensors) => (Config, Weights, Tensors) = (config, weights, tensors);

    /// <summary>The configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>The weights.</summary>
    public CheckpointWeights Weights { get; }

    /// <summary>Where the network's weights are among them.</summary>
    public DecoderTensors Tensors { get; }

    /// <summary>Opens <c>config.json</c> and the weights, and checks that every expected tensor is there with its shape and a float type.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged, or a tensor is missing, has another shape or is not expected.</exception>
    /// <exception cref="UnsupportedModelException">The architecture or an element type is not supported, or the checkpoint is a reward model.</exception>
    public static CheckpointFolder Open(string folder)
    {
        if (ScoreHead.IsIn(folder))
            throw new UnsupportedModelException("This checkpoint is a reward model: it scores answers and writes none. Training, export and serving take the version it was trained from; evaluate takes both.");
        return Open(folder, scored: false);
    }

    /// <summary>The same for a reward model: its <see cref="ScoreHead"/> must be there too.</summary>
    /// <exception cref="InvalidModelException">As for <see cref="Open(string)"/>, or the head is missing.</exception>
    /// <exception cref="UnsupportedModelException">The architecture or an element type is not supported.</exception>
    public static CheckpointFolder OpenScored(string folder) => Open(folder, scored: true);

    private static CheckpointFolder Open(string folder, bool scored)
    {
        var config = ModelConfig.Read(folder);
        var weights = CheckpointWeights.Open(folder);
        try
        {
            var tensors = DecoderTensors.Of(config, weights.Tensors);
            Check(config, tensors, weights, scored);
            return new CheckpointFolder(config, weights, tensors);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private static void Check(ModelConfig config, DecoderTensors tensors, CheckpointWeights weights, bool scored)
    {
        var expected = tensors.Expected().ToDictionary(t => t.Name, t => t.Shape);
        if (scored)
            expected.Add(ScoreHead.TensorName, [1, config.HiddenSize]);
        foreach (var (name, shape) in expected)
        {
            if (!weights.Tensors.TryGetValue(name, out var entry))
                throw new InvalidModelException($"{WeightsFileName}: tensor '{name}' is missing.");
            if (!entry.Shape.AsSpan().SequenceEqual(shape))
                throw new InvalidModelException($"{WeightsFileName}: tensor '{name}' has shape [{string.Join(", ", entry.Shape)}]; config.json asks for [{string.Join(", ", shape)}].");
            if (entry.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
                throw new UnsupportedModelException($"{WeightsFileName}: tensor '{name}' is {entry.Type.HeaderName()}; supported: F32, F16, BF16.");
        }
        foreach (var name in weights.Tensors.Keys)
        {
            if (!expected.ContainsKey(name) && !IsHarmless(name))
                throw new InvalidModelException($"{WeightsFileName}: tensor '{name}' is not part of a {config.ModelType} model with this config.json.");
        }
    }

    // Older checkpoints carry tables that are computed: rotary frequencies, GPT-2's causal mask; tied ones may repeat the embedding as the head.
    private static bool IsHarmless(string name) => name == "lm_head.weight" || name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal)
        || name.EndsWith(".attn.bias", StringComparison.Ordinal) || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal);

    /// <summary>Reads every weight once.</summary>
    /// <exception cref="InvalidModelException">A tensor holds NaN or infinity; the message names it.</exception>
    public void EnsureFinite(CancellationToken ct = default)
    {
        var buffer = new float[1 << 20];
        foreach (var (name, shape) in Tensors.Expected())
        {
            var count = shape.Aggregate(1L, (a, b) => a * b);
            for (long start = 0; start < count; start += buffer.Length)
            {
                ct.ThrowIfCancellationRequested();
                var values = buffer.AsSpan(0, (int)Math.Min(buffer.Length, count - start));
                Weights.ReadFloat32(name, start, values);
                EnsureFinite(name, values);
            }
        }
    }

    // The sum is finite only when every value is (or when they overflow together, which no trained weight does).
    internal static void EnsureFinite(string name, ReadOnlySpan<float> values)
    {
        if (!float.IsFinite(System.Numerics.Tensors.TensorPrimitives.Sum(values)))
            throw NotFinite(name);
    }

    internal static InvalidModelException NotFinite(string name) => new($"Tensor '{name}' holds NaN or infinity.");

    /// <summary>Closes the weights.</summary>
    public void Dispose() => Weights.Dispose();
}

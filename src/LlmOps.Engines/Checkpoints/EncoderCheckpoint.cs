using System.Numerics.Tensors;

namespace LlmOps.Engines.Checkpoints;

/// <summary>A Hugging Face encoder folder whose weights are known to fit its configuration. Tensors are asked for without the family's prefix.</summary>
public sealed class EncoderCheckpoint : IDisposable
{
    private readonly CheckpointWeights weights;
    private readonly Dictionary<string, string> stored;

    private EncoderCheckpoint(EncoderConfig config, CheckpointWeights weights, Dictionary<string, string> stored, IReadOnlyList<string> unused) =>
        (Config, this.weights, this.stored, Unused) = (config, weights, stored, unused);

    /// <summary>The configuration.</summary>
    public EncoderConfig Config { get; }

    /// <summary>Tensors of the file that the encoder does not use, such as task heads.</summary>
    public IReadOnlyList<string> Unused { get; }

    /// <summary>Opens <c>config.json</c> and the weights, one file or shards; names may have the family's prefix, and LayerNorm may be spelled gamma and beta, as in old files.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged, or a tensor is missing, has another shape or is not expected.</exception>
    /// <exception cref="UnsupportedModelException">The family, a setting or an element type is not supported.</exception>
    public static EncoderCheckpoint Open(string folder)
    {
        var config = EncoderConfig.Read(folder);
        var weights = CheckpointWeights.Open(folder);
        try
        {
            var stored = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var name in weights.Tensors.Keys)
                if (!stored.TryAdd(PlainName(name, config), name))
                    throw new InvalidModelException($"{CheckpointWeights.FileName}: tensors '{name}' and '{stored[PlainName(name, config)]}' are the same tensor of the model.");
            return new EncoderCheckpoint(config, weights, stored, Check(config, weights, stored));
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of all tensors.</summary>
    public long SizeBytes => weights.SizeBytes;

    /// <summary>A tensor's values.</summary>
    /// <exception cref="InvalidModelException">The tensor holds NaN or infinity; the message names it.</exception>
    public float[] ReadFloat32(string name)
    {
        var values = weights.ReadFloat32(stored[name]);
        // The sum is finite only when every value is (or when they overflow together, which no trained weight does).
        return float.IsFinite(TensorPrimitives.Sum<float>(values)) ? values : throw new InvalidModelException($"Tensor '{stored[name]}' holds NaN or infinity.");
    }

    private static string PlainName(string name, EncoderConfig config)
    {
        var prefix = config.ModelType is "xlm-roberta" or "camembert" ? "roberta." : config.ModelType + ".";
        var plain = name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name;
        return plain.EndsWith(".gamma", StringComparison.Ordinal) ? plain[..^"gamma".Length] + "weight"
            : plain.EndsWith(".beta", StringComparison.Ordinal) ? plain[..^"beta".Length] + "bias"
            : plain;
    }

    private static List<string> Check(EncoderConfig config, CheckpointWeights weights, Dictionary<string, string> stored)
    {
        var expected = EncoderTensors.Expected(config).ToDictionary(t => t.Name, t => t.Shape);
        const string file = CheckpointWeights.FileName;
        foreach (var (name, shape) in expected)
        {
            if (!stored.TryGetValue(name, out var storedName))
                throw new InvalidModelException($"{file}: tensor '{name}' is missing.");
            var entry = weights.Tensors[storedName];
            if (!entry.Shape.AsSpan().SequenceEqual(shape))
                throw new InvalidModelException($"{file}: tensor '{storedName}' has shape [{string.Join(", ", entry.Shape)}]; config.json asks for [{string.Join(", ", shape)}].");
            if (entry.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
                throw new UnsupportedModelException($"{file}: tensor '{storedName}' is {entry.Type.HeaderName()}; supported: F32, F16, BF16.");
        }
        var rest = stored.Where(s => !expected.ContainsKey(s.Key)).ToList();
        return rest.FirstOrDefault(s => !EncoderTensors.IsUnused(s.Key)) is { Value: { } unknown }
            ? throw new InvalidModelException($"{file}: tensor '{unknown}' is not part of a {config.ModelType} encoder with this config.json.")
            : [.. rest.Select(s => s.Value).Order(StringComparer.Ordinal)];
    }

    /// <summary>Closes the weights.</summary>
    public void Dispose() => weights.Dispose();
}

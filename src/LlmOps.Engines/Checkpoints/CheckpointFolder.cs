namespace LlmOps.Engines.Checkpoints;

/// <summary>A Hugging Face checkpoint folder whose weights are known to fit its configuration.</summary>
public sealed class CheckpointFolder : IDisposable
{
    /// <summary>File name of the weights.</summary>
    public const string WeightsFileName = "model.safetensors";

    private CheckpointFolder(ModelConfig config, SafetensorsFile weights) => (Config, Weights) = (config, weights);

    /// <summary>The configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>The weights.</summary>
    public SafetensorsFile Weights { get; }

    /// <summary>Opens <c>config.json</c> and <c>model.safetensors</c> and checks that every expected tensor is there with its shape and a float type.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged, or a tensor is missing, has another shape or is not expected.</exception>
    /// <exception cref="UnsupportedModelException">The architecture or an element type is not supported.</exception>
    public static CheckpointFolder Open(string folder)
    {
        var config = ModelConfig.Read(folder);
        if (File.Exists(Path.Combine(folder, WeightsFileName + ".index.json")) && !File.Exists(Path.Combine(folder, WeightsFileName)))
            throw new UnsupportedModelException($"The weights are split over several files ({WeightsFileName}.index.json); only one {WeightsFileName} is supported.");
        var weights = SafetensorsFile.Open(Path.Combine(folder, WeightsFileName));
        try
        {
            Check(config, weights);
            return new CheckpointFolder(config, weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private static void Check(ModelConfig config, SafetensorsFile weights)
    {
        var expected = LlamaTensors.Expected(config).ToDictionary(t => t.Name, t => t.Shape);
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
            // Older Llama checkpoints carry the rotary table, which is computed; tied ones may repeat the embedding as the head.
            var harmless = name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) || name == "lm_head.weight";
            if (!expected.ContainsKey(name) && !harmless)
                throw new InvalidModelException($"{WeightsFileName}: tensor '{name}' is not part of a {config.ModelType} model with this config.json.");
        }
    }

    /// <summary>Closes the weights.</summary>
    public void Dispose() => Weights.Dispose();
}

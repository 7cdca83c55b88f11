using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.SmallModels;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.SmallModels;

/// <summary>Reads and writes the checkpoint folders of small models.</summary>
internal static class SmallModelFolder
{
    private const string Weights = "model.safetensors";

    /// <summary>Zero-filled parameters; weight decay applies to matrices and kernels.</summary>
    public static FlatParameters Parameters(SmallModelConfig config, bool trainable)
        => new(config.Tensors().Select(t => new ParameterShape(t.Name, t.Shape, t.Shape.Length > 1)), trainable);

    /// <summary>The weights of a checkpoint.</summary>
    /// <exception cref="InvalidModelException">A tensor is missing or has another shape than config.json says.</exception>
    public static FlatParameters Load(SmallModelConfig config, string folder)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, Weights));
        foreach (var (name, shape) in config.Tensors())
        {
            if (!file.Tensors.TryGetValue(name, out TensorEntry? found) || !found.Shape.SequenceEqual(shape))
                throw new InvalidModelException($"model.safetensors lacks the tensor '{name}' of shape [{string.Join(", ", shape)}].");
        }
        FlatParameters parameters = Parameters(config, trainable: false);
        foreach (ParameterShape shape in parameters.Shapes) file.ReadFloat32(shape.Name).CopyTo(parameters.ValuesOf(shape.Name));
        return parameters;
    }

    /// <summary>Writes config.json and model.safetensors (last, so that its presence means the folder is complete).</summary>
    /// <returns>SHA-256 of model.safetensors, lower-case hex.</returns>
    public static string Save(SmallModelConfig config, FlatParameters parameters, string folder)
    {
        config.Write(folder);
        string path = Path.Combine(folder, Weights);
        SafetensorsWriter.WriteFloat32(path, parameters.Shapes.Select(s => (s.Name, s.Shape, parameters.ValuesOf(s.Name).ToArray())));
        return ModelFolder.Sha256(path);
    }
}

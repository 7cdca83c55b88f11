using System.Numerics.Tensors;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Checkpoints;

/// <summary>One adapted module.</summary>
/// <param name="Module">Path in the base model, for example <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="IsEmbedding">Whether the module looks rows up: A is <c>[rank, rows]</c>, B <c>[width, rank]</c>. Otherwise A is <c>[rank, in]</c> and B <c>[out, rank]</c>.</param>
/// <param name="A">Name of A in the adapter file.</param>
/// <param name="B">Name of B.</param>
/// <param name="Magnitude">Name of DoRA's lengths <c>[out]</c>; null without DoRA.</param>
/// <param name="Rank">Rank.</param>
/// <param name="Inputs">Second size of A.</param>
/// <param name="Outputs">First size of B.</param>
/// <param name="Scale">Factor of B·A.</param>
public sealed record LoraTarget(string Module, bool IsEmbedding, string A, string B, string? Magnitude, int Rank, int Inputs, int Outputs, double Scale);

/// <summary>
/// A LoRA adapter in PEFT's folder format: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c> with tensors
/// <c>base_model.model.MODULE.lora_A.weight</c>, <c>.lora_B.weight</c>, <c>.lora_embedding_A</c>, <c>.lora_embedding_B</c>, <c>.lora_magnitude_vector</c>, and whole tensors
/// (trained biases, modules_to_save) under their own names.
/// </summary>
public sealed partial class LoraAdapterFile : IDisposable
{
    /// <summary>File name of the tensors.</summary>
    public const string WeightsFileName = "adapter_model.safetensors";
    private const string Prefix = "base_model.model.";
    private readonly SafetensorsFile file;

    private LoraAdapterFile(LoraSettings settings, SafetensorsFile file) => (Settings, this.file) = (settings, file);

    /// <summary>The configuration.</summary>
    public LoraSettings Settings { get; }

    /// <summary>Adapted modules, in the file's order.</summary>
    public IReadOnlyList<LoraTarget> Targets { get; private set; } = [];

    /// <summary>Tensors that take a base tensor's place: name in the base model → name in the adapter file.</summary>
    public IReadOnlyDictionary<string, string> Replacements { get; private set; } = new Dictionary<string, string>();

    /// <summary>Shapes and types.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors => file.Tensors;

    /// <summary>Opens an adapter folder and checks that its tensors belong together.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged; a tensor has no partner, or a shape or rank that does not fit; the message names it.</exception>
    /// <exception cref="UnsupportedModelException">The adapter's kind, an option or an element type is not supported.</exception>
    public static LoraAdapterFile Open(string adapterFolder)
    {
        var settings = LoraSettings.Read(adapterFolder);
        var adapter = new LoraAdapterFile(settings, SafetensorsFile.Open(Path.Combine(adapterFolder, WeightsFileName)));
        try
        {
            adapter.Sort();
            return adapter;
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    /// <summary>A tensor's values.</summary>
    /// <exception cref="InvalidModelException">The tensor holds NaN or infinity; the message names it.</exception>
    public float[] ReadFloat32(string name)
    {
        var values = file.ReadFloat32(name);
        // The sum is finite only when every value is (or when they overflow together, which no trained weight does).
        return float.IsFinite(TensorPrimitives.Sum<float>(values)) ? values : throw new InvalidModelException($"Adapter tensor '{name}' holds NaN or infinity.");
    }

    // The adapter's own name stands in some files between lora_A and weight.
    [GeneratedRegex(@"^(?<module>.+)\.(?<part>lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)(\.(?!(weight|bias)$)[^.]+)?(\.(?<kind>weight|bias))?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PartName();

    [GeneratedRegex(@"\.base_layer(?=\.)|\.modules_to_save(\.default)?(?=\.)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Wrappers();

    private void Sort()
    {
        var parts = new Dictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);
        var replacements = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, entry) in file.Tensors)
        {
            if (entry.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
                throw new UnsupportedModelException($"Adapter tensor '{name}' is {entry.Type.HeaderName()}; supported: F32, F16, BF16.");
            if (!name.StartsWith(Prefix, StringComparison.Ordinal))
                throw new InvalidModelException($"Adapter tensor '{name}' does not begin with '{Prefix}', as peft names tensors.");
            var path = name[Prefix.Length..];
            if (PartName().Match(path) is not { Success: true } match)
            {
                if (!replacements.TryAdd(Wrappers().Replace(path, ""), name))
                    throw new InvalidModelException($"Adapter tensors '{name}' and '{replacements[Wrappers().Replace(path, "")]}' replace the same tensor.");
                continue;
            }
            if (match.Groups["kind"].Value == "bias")
                throw new UnsupportedModelException($"Adapter tensor '{name}' is a bias of A or B; adapters with lora_bias are not supported.");
            var (module, part) = (match.Groups["module"].Value, match.Groups["part"].Value);
            if (!parts.TryGetValue(module, out var found))
                parts[module] = found = [];
            if (!found.TryAdd(part, name))
                throw new InvalidModelException($"Adapter tensors '{name}' and '{found[part]}' are the same part of '{module}'.");
        }
        if (parts.Count + replacements.Count == 0)
            throw new InvalidModelException($"{WeightsFileName} holds no tensor.");
        Targets = [.. parts.Select(p => Target(p.Key, p.Value))];
        Replacements = replacements;
    }

    private LoraTarget Target(string module, Dictionary<string, string> parts)
    {
        var embedding = parts.ContainsKey("lora_embedding_A") || parts.ContainsKey("lora_embedding_B");
        var (a, b) = embedding ? ("lora_embedding_A", "lora_embedding_B") : ("lora_A", "lora_B");
        foreach (var needed in Settings.UseDora ? [a, b, "lora_magnitude_vector"] : new[] { a, b })
            if (!parts.ContainsKey(needed))
                throw new InvalidModelException($"The adapter has {string.Join(" and ", parts.Keys)} of module '{module}' but no {needed}.");
        if (parts.Keys.FirstOrDefault(p => p != a && p != b && !(Settings.UseDora && p == "lora_magnitude_vector")) is { } extra)
            throw new InvalidModelException($"Adapter tensor '{parts[extra]}' does not belong to an adapter with use_dora {Settings.UseDora} and {a}.");
        if (embedding && Settings.UseDora)
            throw new UnsupportedModelException($"The adapter decomposes the embedding '{module}' (use_dora); this is supported for linear layers only.");

        long[] shapeA = file.Tensors[parts[a]].Shape, shapeB = file.Tensors[parts[b]].Shape;
        if (shapeA.Length != 2 || shapeB.Length != 2)
            throw new UnsupportedModelException($"Adapter tensors of '{module}' have shapes [{string.Join(", ", shapeA)}] and [{string.Join(", ", shapeB)}]; only matrices are supported, no convolutions.");
        var rank = Settings.RankOf(module);
        if (shapeA[0] != rank || shapeB[1] != rank)
            throw new InvalidModelException($"Adapter tensors of '{module}' have shapes [{string.Join(", ", shapeA)}] and [{string.Join(", ", shapeB)}]; {LoraSettings.FileName} asks for rank {rank}.");
        var magnitude = parts.GetValueOrDefault("lora_magnitude_vector");
        if (magnitude is not null && file.Tensors[magnitude].Shape.Aggregate(1L, (x, y) => x * y) != shapeB[0])
            throw new InvalidModelException($"Adapter tensor '{magnitude}' has shape [{string.Join(", ", file.Tensors[magnitude].Shape)}]; {shapeB[0]} lengths are needed.");
        return new(module, embedding, parts[a], parts[b], magnitude, rank, (int)shapeA[1], (int)shapeB[0], Settings.ScaleOf(module));
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();
}

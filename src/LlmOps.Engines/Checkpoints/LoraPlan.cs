using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>Which base tensor each part of an adapter changes; everything that can be wrong about it is found here, before any work.</summary>
internal sealed class LoraPlan
{
    public const string Head = "lm_head.weight";
    private readonly IReadOnlyDictionary<string, TensorEntry> tensors;

    public LoraPlan(string baseFolder, IReadOnlyDictionary<string, TensorEntry> tensors, LoraAdapterFile adapter)
    {
        this.tensors = tensors;
        var json = ConfigJson.Open(baseFolder, ModelConfig.FileName);
        if (json.Find("quantization_config") is not null)
            throw new UnsupportedModelException($"{ModelConfig.FileName}: the base is quantized (quantization_config). Merge into the unquantized base, then quantize, or use the adapter beside the quantized graph (LoraSlots).");
        var tied = IsTied(json);
        foreach (var target in adapter.Targets)
            Assign(target, adapter.Settings.FanInFanOut, tied);
        foreach (var (name, stored) in adapter.Replacements)
            Assign(name, stored, adapter.Tensors[stored], tied);
        if (tied && Embedding is { } embedding && (Touches(embedding) || Touches(Head)))
            (Untied, HeadSource) = (true, embedding);
    }

    /// <summary>Base tensor → adapted module.</summary>
    public Dictionary<string, LoraTarget> Merged { get; } = new(StringComparer.Ordinal);

    /// <summary>Base tensor → adapter tensor that takes its place.</summary>
    public Dictionary<string, string> Replaced { get; } = new(StringComparer.Ordinal);

    /// <summary>
    /// Whether the result needs an output head of its own: an adapter of the embedding does not reach a head that shares the base's table, nor the other way round.
    /// </summary>
    public bool Untied { get; }

    /// <summary>The embedding whose values the new head starts from.</summary>
    public string? HeadSource { get; }

    private string? Embedding => tensors.Keys.FirstOrDefault(n => n.EndsWith("embed_tokens.weight", StringComparison.Ordinal) || n.EndsWith("wte.weight", StringComparison.Ordinal));

    private bool Touches(string name) => Merged.ContainsKey(name) || Replaced.ContainsKey(name);

    private bool IsTied(ConfigJson json) =>
        !(json.Find("model_type") is { ValueKind: JsonValueKind.String } type && EncoderConfig.Families.Contains(type.GetString()!))
        && json.Bool("tie_word_embeddings", !tensors.ContainsKey(Head));

    private void Assign(LoraTarget target, bool fanInFanOut, bool tied)
    {
        var name = Resolve($"{target.Module}.weight", target.A, tied);
        long[] expected = target.IsEmbedding ? [target.Inputs, target.Outputs] : fanInFanOut ? [target.Inputs, target.Outputs] : [target.Outputs, target.Inputs];
        var shape = ShapeOf(name);
        if (!shape.SequenceEqual(expected))
            throw new InvalidModelException($"Adapter tensors of '{target.Module}' fit a base tensor [{string.Join(", ", expected)}]{(fanInFanOut ? " (fan_in_fan_out)" : "")}; '{name}' has shape [{string.Join(", ", shape)}].");
        if (!Merged.TryAdd(name, target))
            throw new InvalidModelException($"Two modules of the adapter, '{target.Module}' and '{Merged[name].Module}', change base tensor '{name}'.");
    }

    private void Assign(string plain, string stored, TensorEntry entry, bool tied)
    {
        var name = Resolve(plain, stored, tied);
        if (!ShapeOf(name).SequenceEqual(entry.Shape))
            throw new InvalidModelException($"Adapter tensor '{stored}' has shape [{string.Join(", ", entry.Shape)}] and would replace '{name}' with shape [{string.Join(", ", ShapeOf(name))}].");
        if (Merged.ContainsKey(name) || !Replaced.TryAdd(name, stored))
            throw new InvalidModelException($"The adapter changes base tensor '{name}' twice, last by '{stored}'.");
    }

    private long[] ShapeOf(string name) => tensors[name == Head && !tensors.ContainsKey(Head) ? Embedding! : name].Shape;

    // Base files are saved with or without the name of the model inside the task's model (transformer.h.0 or h.0): one side may have one segment more.
    private string Resolve(string name, string stored, bool tied)
    {
        if (tensors.ContainsKey(name) || (name == Head && tied && Embedding is not null))
            return name;
        var candidates = tensors.Keys.Where(n => n.EndsWith($".{name}", StringComparison.Ordinal) || name.EndsWith($".{n}", StringComparison.Ordinal)).ToList();
        if (candidates is not [var found])
            throw new InvalidModelException(candidates.Count == 0
                ? $"Adapter tensor '{stored}' has no partner: the base has no tensor '{name}'."
                : $"Adapter tensor '{stored}' has several possible partners: {string.Join(", ", candidates)}.");
        var tensor = tensors[found];
        return tensor.Type is TensorType.F32 or TensorType.F16 or TensorType.BF16 ? found
            : throw new UnsupportedModelException($"Base tensor '{found}' is {tensor.Type.HeaderName()}; an adapter can be merged into F32, F16 and BF16.");
    }
}

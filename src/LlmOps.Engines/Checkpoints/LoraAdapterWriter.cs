using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>A linear layer's adapter to be written.</summary>
/// <param name="Module">Path in the base model, for example <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="Inputs">Width of the layer's input.</param>
/// <param name="Outputs">Width of its output.</param>
/// <param name="A">[rank, in].</param>
/// <param name="B">[out, rank].</param>
public sealed record LoraLayer(string Module, int Inputs, int Outputs, float[] A, float[] B)
{
    /// <summary>DoRA's trained lengths [out]; null for a plain adapter.</summary>
    public float[]? Magnitude { get; init; }
}

/// <summary>Writes a plain LoRA adapter as a PEFT folder, which peft, vLLM and <see cref="LoraAdapterFile"/> read.</summary>
public static class LoraAdapterWriter
{
    /// <summary>Writes adapter_model.safetensors, and adapter_config.json last, so that its presence means the folder is complete.</summary>
    /// <param name="folder">Made when missing.</param>
    /// <param name="rank">Rank of every layer.</param>
    /// <param name="alpha">Numerator of the scale α / rank.</param>
    /// <param name="layers">The layers; at least one.</param>
    /// <param name="baseModel">Name of the base, for people.</param>
    /// <exception cref="ArgumentException">There is no layer, or sizes do not fit the rank.</exception>
    public static void Write(string folder, int rank, double alpha, IReadOnlyList<LoraLayer> layers, string baseModel = "") =>
        Write(folder, new LoraSettings { Rank = rank, Alpha = alpha }, layers, baseModel);

    /// <summary>The same for an adapter with other settings than a plain one's: rank-stabilised, with DoRA's lengths, or of a base whose weights are [in, out].</summary>
    /// <exception cref="ArgumentException">There is no layer, sizes do not fit the rank, or lengths are missing or too many.</exception>
    public static void Write(string folder, LoraSettings settings, IReadOnlyList<LoraLayer> layers, string baseModel = "")
    {
        int rank = settings.Rank;
        if (layers.Count == 0)
            throw new ArgumentException("There is no layer to write.", nameof(layers));
        foreach (var layer in layers)
        {
            if (layer.A.Length != (long)rank * layer.Inputs || layer.B.Length != (long)rank * layer.Outputs)
                throw new ArgumentException($"A and B of '{layer.Module}' have {layer.A.Length} and {layer.B.Length} values; rank {rank}, {layer.Inputs} inputs and {layer.Outputs} outputs need other numbers.", nameof(layers));
            if (settings.UseDora != (layer.Magnitude?.Length == layer.Outputs) || (!settings.UseDora && layer.Magnitude is not null))
                throw new ArgumentException($"'{layer.Module}' has {layer.Magnitude?.Length ?? 0} lengths; {(settings.UseDora ? layer.Outputs : 0)} are needed.", nameof(layers));
        }
        Directory.CreateDirectory(folder);
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, LoraAdapterFile.WeightsFileName), layers.SelectMany(layer => Tensors(layer, rank)));
        var config = new Dictionary<string, object?>
        {
            ["peft_type"] = "LORA", ["task_type"] = "CAUSAL_LM", ["base_model_name_or_path"] = baseModel, ["r"] = rank, ["lora_alpha"] = settings.Alpha, ["lora_dropout"] = 0.0,
            ["target_modules"] = layers.Select(l => l.Module.Split('.')[^1]).Distinct().Order(StringComparer.Ordinal).ToArray(), ["bias"] = "none",
            ["fan_in_fan_out"] = settings.FanInFanOut, ["use_rslora"] = settings.UseRsLora, ["use_dora"] = settings.UseDora, ["modules_to_save"] = null, ["inference_mode"] = true,
            ["rank_pattern"] = new Dictionary<string, int>(), ["alpha_pattern"] = new Dictionary<string, double>(), ["init_lora_weights"] = true,
        };
        AtomicFile.WriteText(Path.Combine(folder, LoraSettings.FileName), JsonSerializer.Serialize(config, Indented));
    }

    private static IEnumerable<(string, long[], float[])> Tensors(LoraLayer layer, int rank)
    {
        yield return ($"base_model.model.{layer.Module}.lora_A.weight", [rank, layer.Inputs], layer.A);
        yield return ($"base_model.model.{layer.Module}.lora_B.weight", [layer.Outputs, rank], layer.B);
        if (layer.Magnitude is { } lengths) yield return ($"base_model.model.{layer.Module}.lora_magnitude_vector", [layer.Outputs], lengths);
    }

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
}

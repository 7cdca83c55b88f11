using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Writes a PEFT adapter as an <c>.onnx_adapter</c> file for a graph that <see cref="LoraSlots"/> prepared. The scale α/r goes into B; where a graph computes
/// several modules as one product, A's lie side by side and B is zero outside of each module's own columns.
/// </summary>
public sealed record OnnxAdapterExport
{
    /// <summary>Reads an adapter folder and writes the file.</summary>
    /// <param name="adapterFolder">adapter_config.json and adapter_model.safetensors.</param>
    /// <param name="onnxFolder">The graph that it is for, with config.json.</param>
    /// <param name="targetFile">Replaced whole when it exists.</param>
    /// <exception cref="InvalidModelException">Adapter and graph do not fit, or a value is not finite; the message names the module or tensor.</exception>
    /// <exception cref="UnsupportedModelException">The adapter does more than add products (DoRA, embeddings, whole tensors): <see cref="LoraMerge"/> takes it.</exception>
    public OnnxAdapterReport Run(string adapterFolder, string onnxFolder, string targetFile)
    {
        using var adapter = LoraAdapterFile.Open(adapterFolder);
        EnsureAdditive(adapter);
        var slots = Slots(onnxFolder);
        var modules = adapter.Targets.ToDictionary(t => t.Module);
        var missing = modules.Keys.Except(slots.SelectMany(s => s.Slot.Parts).Select(LoraSlot.Module)).FirstOrDefault();
        if (missing is not null)
            throw new InvalidModelException($"The graph takes no adapter for module '{missing}'; prepare it with {nameof(LoraSlots)}, or merge the adapter with {nameof(LoraMerge)}.");
        var tensors = new List<AdapterTensor>();
        foreach (var (slot, type) in slots)
        {
            LoraTarget[] targets = [.. slot.Parts.Select(LoraSlot.Module).Distinct().Where(modules.ContainsKey).Select(m => modules[m])];
            if (targets.Length == 0)
                continue;
            foreach (var target in targets)
                EnsureFits(slot, target);
            var rank = targets.Sum(t => t.Rank);
            tensors.Add(new(slot.A, type, [slot.Inputs, rank], () => Cast(DownProjection(slot, targets, adapter), type)));
            tensors.Add(new(slot.B, type, [rank, slot.Outputs], () => Cast(UpProjection(slot, targets, adapter), type)));
        }
        OnnxAdapterFile.Write(targetFile, tensors);
        return new(modules.Count, tensors.Count / 2, new FileInfo(targetFile).Length);
    }

    private static void EnsureAdditive(LoraAdapterFile adapter)
    {
        var why = adapter.Replacements.Count > 0 ? $"it replaces the whole tensor '{adapter.Replacements.Keys.First()}'"
            : adapter.Targets.FirstOrDefault(t => t.IsEmbedding) is { } embedding ? $"it adapts the embedding '{embedding.Module}'"
            : adapter.Settings.UseDora ? "it scales outputs (use_dora)" : null;
        if (why is not null)
            throw new UnsupportedModelException($"The adapter cannot be added while the model runs: {why}. Merge it with {nameof(LoraMerge)} and export the result.");
    }

    private static List<(LoraSlot Slot, int Type)> Slots(string onnxFolder)
    {
        using var model = OnnxModel.Load(onnxFolder);
        var inputs = model.Proto.Graph.Input.ToDictionary(i => i.Name, i => i.Type.TensorType.ElemType);
        var slots = LoraSlot.Of(ModelConfig.Read(onnxFolder)).Where(s => inputs.ContainsKey(s.A)).Select(s => (s, inputs[s.A])).ToList();
        return slots.Count > 0 ? slots : throw new InvalidModelException($"{model.Label} takes no adapters; prepare it with {nameof(LoraSlots)}.");
    }

    private static void EnsureFits(LoraSlot slot, LoraTarget target)
    {
        var part = slot.Parts.First(p => LoraSlot.Module(p) == target.Module);
        if (target.Inputs != part.Inputs || target.Outputs != part.TotalOutputs)
            throw new InvalidModelException($"The adapter of '{target.Module}' is for {target.Inputs} inputs and {target.Outputs} outputs; the graph has {part.Inputs} and {part.TotalOutputs}.");
    }

    // [in, Σ rank]: A of each module, transposed.
    private static float[] DownProjection(LoraSlot slot, LoraTarget[] targets, LoraAdapterFile adapter)
    {
        var total = targets.Sum(t => t.Rank);
        var result = new float[slot.Inputs * total];
        var column = 0;
        foreach (var target in targets)
        {
            Matrix.Transpose<float>(adapter.ReadFloat32(target.A), target.Rank, slot.Inputs, result, total, column);
            column += target.Rank;
        }
        return result;
    }

    // [Σ rank, out]: s·Bᵀ of each module in the module's own rows and columns.
    private static float[] UpProjection(LoraSlot slot, LoraTarget[] targets, LoraAdapterFile adapter)
    {
        var result = new float[targets.Sum(t => t.Rank) * slot.Outputs];
        var row = 0;
        foreach (var target in targets)
        {
            var b = adapter.ReadFloat32(target.B);
            var column = 0;
            foreach (var part in slot.Parts)
            {
                if (LoraSlot.Module(part) == target.Module)
                    for (var o = 0; o < part.Outputs; o++)
                        for (var k = 0; k < target.Rank; k++)
                            result[(row + k) * slot.Outputs + column + o] = (float)(target.Scale * b[(part.Start + o) * target.Rank + k]);
                column += part.Outputs;
            }
            row += target.Rank;
        }
        return result;
    }

    private static byte[] Cast(float[] values, int type) =>
        FloatCast.ToBytes(values, type switch { ElementTypes.Float16 => TensorType.F16, ElementTypes.BFloat16 => TensorType.BF16, _ => TensorType.F32 });
}

/// <summary>What an adapter file holds.</summary>
/// <param name="Modules">Adapted modules of the PEFT folder.</param>
/// <param name="Slots">Products of the graph that it changes.</param>
/// <param name="Bytes">Size of the file.</param>
public sealed record OnnxAdapterReport(int Modules, int Slots, long Bytes);

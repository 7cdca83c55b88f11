using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>
/// Values for all adapter inputs of a graph: an adapter's, and empty ones where it has none. For binding: ONNX Runtime's own active adapters (RunOptions)
/// have no effect on a run with bound inputs.
/// </summary>
internal sealed class AdapterValues : IDisposable
{
    private readonly Dictionary<string, OrtValue> values = [];

    /// <param name="session">The graph.</param>
    /// <param name="adapterFile">An <c>.onnx_adapter</c> file; null leaves all inputs empty.</param>
    /// <exception cref="InvalidModelException">The file is damaged or made for another graph; the message names the tensor.</exception>
    /// <exception cref="UnsupportedModelException">The graph takes no adapters.</exception>
    public AdapterValues(InferenceSession session, string? adapterFile)
    {
        var inputs = session.OverridableInitializerMetadata.Where(i => LoraSlot.IsInput(i.Key)).ToDictionary();
        if (inputs.Count == 0)
            throw new UnsupportedModelException($"The graph takes no adapters; prepare it with {nameof(LoraSlots)}.");
        try
        {
            foreach (var (name, type, dims, bytes) in adapterFile is null ? [] : OnnxAdapterFile.Read(adapterFile))
            {
                if (!inputs.TryGetValue(name, out var input))
                    throw new InvalidModelException($"{Path.GetFileName(adapterFile)}: the graph has no input '{name}' for an adapter.");
                var down = name == LoraSlot.InputA(name[..^".lora_A.weight".Length]);
                if (dims.Length != 2 || dims[down ? 0 : 1] != input.Dimensions[down ? 0 : 1] || (TensorElementType)type != input.ElementDataType)
                    throw new InvalidModelException($"{Path.GetFileName(adapterFile)}: '{name}' is {ElementTypes.Name(type)} [{string.Join(", ", dims)}]; the graph wants {input.ElementDataType} [{string.Join(", ", input.Dimensions)}].");
                Add(name, (TensorElementType)type, dims, bytes);
            }
            EnsurePairs(adapterFile);
            foreach (var (name, input) in inputs.Where(i => !values.ContainsKey(i.Key)))
                Add(name, input.ElementDataType, [.. input.Dimensions.Select(d => (long)Math.Max(0, d))], []);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Bind(OrtIoBinding binding)
    {
        foreach (var (name, value) in values)
            binding.BindInput(name, value);
    }

    private void Add(string name, TensorElementType type, long[] dims, byte[] bytes)
    {
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, type, dims);
        values[name] = value;
        if (bytes.Length > 0)
            bytes.CopyTo(value.GetTensorMutableRawData());
    }

    private void EnsurePairs(string? adapterFile)
    {
        foreach (var name in values.Keys.Select(n => n[..^".lora_A.weight".Length]).Distinct())
            if (!values.TryGetValue(LoraSlot.InputA(name), out var a) || !values.TryGetValue(LoraSlot.InputB(name), out var b)
                || a.GetTensorTypeAndShape().Shape[1] != b.GetTensorTypeAndShape().Shape[0])
                throw new InvalidModelException($"{Path.GetFileName(adapterFile)}: A and B of '{name}' are not both there with the same rank.");
    }

    public void Dispose()
    {
        foreach (var value in values.Values)
            value.Dispose();
    }
}

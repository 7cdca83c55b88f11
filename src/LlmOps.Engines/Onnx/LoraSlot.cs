using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Onnx;

/// <summary>A product of an exported decoder that an adapter can be added to: x·W + (x·A)·B, A <c>[in, rank]</c> and B <c>[rank, out]</c>, B with the adapter's scale in it.</summary>
/// <param name="Name">Name of the product without its operator, for example <c>model.layers.0.attn.qkv_proj</c>.</param>
/// <param name="Product">The tensor that the product gives; passes keep it.</param>
/// <param name="Parts">What lies side by side in the product's columns.</param>
internal sealed record LoraSlot(string Name, string Product, IReadOnlyList<LinearSource> Parts)
{
    public string A => InputA(Name);
    public string B => InputB(Name);
    public int Inputs => Parts[0].Inputs;
    public int Outputs => Parts.Sum(p => p.Outputs);

    public static string InputA(string name) => $"{name}.lora_A.weight";
    public static string InputB(string name) => $"{name}.lora_B.weight";
    public static bool IsInput(string name) => name.EndsWith(".lora_A.weight", StringComparison.Ordinal) || name.EndsWith(".lora_B.weight", StringComparison.Ordinal);

    /// <summary>Path of a part's module in the checkpoint's model, as adapters name it.</summary>
    public static string Module(LinearSource part) => part.Name[..^".weight".Length];

    /// <summary>Every product of a decoder layer; the output head has none, because its form differs from export to export.</summary>
    public static IEnumerable<LoraSlot> Of(ModelConfig config)
    {
        var tensors = new DecoderTensors(config);
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            yield return Slot("attn.qkv_proj", Projection.Query, Projection.Key, Projection.Value);
            yield return Slot("attn.o_proj", Projection.Output);
            if (config.Family.GatedMlp)
                yield return Slot("mlp.gate_proj", Projection.Gate);
            yield return Slot("mlp.up_proj", Projection.Up);
            yield return Slot("mlp.down_proj", Projection.Down);

            LoraSlot Slot(string name, params Projection[] parts) =>
                new($"model.layers.{i}.{name}", $"/model/layers.{i}/{name.Replace('.', '/')}/MatMul/output_0", [.. parts.Select(p => tensors.Linear(i, p))]);
        }
    }
}

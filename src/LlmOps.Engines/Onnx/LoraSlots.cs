using Google.Protobuf;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Makes an exported decoder take LoRA adapters while it runs. Each product gets two inputs that have a default of rank 0: without an adapter the graph
/// computes what it did, with one it adds (x·A)·B. The base may be quantized (MatMulNBits, dynamic int8); the adapter stays in floating point. Adapter
/// files for the graph are written by <see cref="OnnxAdapterExport"/>.
/// </summary>
public sealed record LoraSlots
{
    /// <summary>Modules as adapters name them, for example <c>q_proj</c>; a packed product gets its inputs when one of its parts is named. Empty takes all linear layers but the output head.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>Reads an ONNX folder and writes one whose graphs have the inputs; a second graph <c>prefill.onnx</c> gets them too.</summary>
    /// <param name="sourceFolder">model.onnx with its companions.</param>
    /// <param name="targetFolder">Appears only when complete.</param>
    /// <param name="ct">Stops between two tensors; nothing is left behind.</param>
    /// <exception cref="ArgumentException">A module is none of this model's.</exception>
    /// <exception cref="InvalidModelException">The source is damaged, was not exported as a decoder by this library, or has the inputs already; the message names the tensor.</exception>
    public LoraSlotsReport Run(string sourceFolder, string targetFolder, CancellationToken ct = default)
    {
        var slots = Chosen(ModelConfig.Read(sourceFolder));
        using var staged = new StagedFolder(sourceFolder, targetFolder);
        staged.CopyCompanions(sourceFolder);
        long before = 0;
        foreach (var name in new[] { OnnxModel.FileName, DecoderSession.PrefillFileName })
            if (name == OnnxModel.FileName || File.Exists(Path.Combine(sourceFolder, name)))
                before += Rewrite(Path.Combine(sourceFolder, name), staged.Path, slots, ct);
        var difference = ReloadCheck.Compare(sourceFolder, staged.Path, new SessionSettings(), ct);
        var report = new LoraSlotsReport(slots.Count, before, new DirectoryInfo(staged.Path).EnumerateFiles("*.onnx*").Sum(f => f.Length), difference.RelativeL2);
        staged.Commit();
        return report;
    }

    private List<LoraSlot> Chosen(ModelConfig config)
    {
        var all = LoraSlot.Of(config).ToList();
        var known = all.SelectMany(s => s.Parts).Select(Last).Distinct().ToList();
        foreach (var module in Modules)
            if (!known.Contains(module))
                throw new ArgumentException($"'{module}' is no linear layer that can take an adapter here; possible: {string.Join(", ", known)}.");
        return [.. all.Where(s => Modules.Count == 0 || s.Parts.Any(p => Modules.Contains(Last(p))))];

        static string Last(LinearSource part) => LoraSlot.Module(part).Split('.')[^1];
    }

    private static long Rewrite(string file, string targetFolder, List<LoraSlot> slots, CancellationToken ct)
    {
        using var model = OnnxModel.Load(file);
        GraphCheck.Ensure(model);
        var graph = model.Proto.Graph;
        var producers = graph.Node.SelectMany(node => node.Output.Where(output => output.Length > 0).Select(output => (output, node))).ToDictionary(p => p.output, p => p.node);
        var after = new Dictionary<NodeProto, NodeProto[]>(ReferenceEqualityComparer.Instance);
        foreach (var slot in slots)
        {
            if (!producers.TryGetValue(slot.Product, out var producer))
                throw new InvalidModelException($"{model.Label} has no tensor '{slot.Product}': it was not exported by {nameof(DecoderExport)}, or a pass renamed it.");
            if (model.Initializers.ContainsKey(slot.A) || graph.Input.Any(i => i.Name == slot.A))
                throw new InvalidModelException($"{model.Label} has an input '{slot.A}' already.");
            var (node, output, activation) = Place(producer, producers, slot);
            after[node] = Add(graph, slot, node, output, activation, FloatType(node, model));
        }
        var nodes = graph.Node.SelectMany(node => after.TryGetValue(node, out var added) ? [node, .. added] : new[] { node }).ToList();
        graph.Node.Clear();
        graph.Node.AddRange(nodes);
        model.Proto.AddMetadata("llmops.lora_slots", $"{slots.Count}");
        var size = model.SizeOnDisk();
        using var writer = new OnnxWriter(targetFolder, Path.GetFileName(file));
        foreach (var tensor in model.Proto.AllTensors().Where(t => t.DataLocation == 1))
        {
            ct.ThrowIfCancellationRequested();
            var (mapped, offset, length) = model.ExternalRange(tensor);
            writer.CopyExternal(tensor, mapped, offset, length);
        }
        writer.Save(model.Proto);
        return size;
    }

    private static NodeProto[] Add(GraphProto graph, LoraSlot slot, NodeProto producer, string product, string activation, int type)
    {
        var rank = $"{slot.Name}.lora_rank";
        graph.Input.Add(Value(slot.A, type, slot.Inputs, rank));
        graph.Input.Add(Value(slot.B, type, rank, slot.Outputs));
        graph.Initializer.Add(Empty(slot.A, type, slot.Inputs, 0));
        graph.Initializer.Add(Empty(slot.B, type, 0, slot.Outputs));
        string at = slot.Product[..^"/MatMul/output_0".Length], plain = $"{at}/base/output_0";
        for (var i = 0; i < producer.Output.Count; i++)
            if (producer.Output[i] == product)
                producer.Output[i] = plain;
        return
        [
            Node("MatMul", $"{at}/lora_A/MatMul", [activation, slot.A], [$"{at}/lora_A/output_0"]),
            Node("MatMul", $"{at}/lora_B/MatMul", [$"{at}/lora_A/output_0", slot.B], [$"{at}/lora_B/output_0"]),
            Node("Add", $"{at}/lora/Add", [plain, $"{at}/lora_B/output_0"], [product]),
        ];
    }

    private static TensorProto Empty(string name, int type, params long[] dims) => new() { Name = name, DataType = type, Dims = { dims }, RawData = ByteString.Empty };

    // Where the update is added, and to what it applies. A product in 16 bits may be cast afterwards: the update comes before. Of a product in integers
    // the whole scaled result is the product, and the activation is what was quantized.
    private static (NodeProto Node, string Output, string Activation) Place(NodeProto producer, Dictionary<string, NodeProto> producers, LoraSlot slot)
    {
        var node = producer;
        while (node.OpType is "Mul" or "Cast" && producers.TryGetValue(node.Input[0], out var earlier))
            node = earlier;
        if (node.OpType is "MatMul" or "FusedMatMul" or "MatMulNBits")
            return (node, node.Output[0], node.Input[0]);
        return node.OpType == "MatMulInteger" && producers.TryGetValue(node.Input[0], out var quantize) && quantize.OpType == "DynamicQuantizeLinear"
            ? (producer, slot.Product, quantize.Input[0])
            : throw new UnsupportedModelException($"'{slot.Product}' is made by {node.OpType}; adapters can be added to MatMul, FusedMatMul, MatMulNBits and dynamic int8.");
    }

    // The type of the weights or, of quantized ones, of their scales.
    private static int FloatType(NodeProto producer, OnnxModel model) => producer.Input.Select(name => model.Initializers.GetValueOrDefault(name)?.DataType ?? 0)
        .FirstOrDefault(type => type is ElementTypes.Float or ElementTypes.Float16 or ElementTypes.BFloat16, ElementTypes.Float);
}

/// <summary>What a graph's preparation for adapters did.</summary>
/// <param name="Slots">Products that can take an adapter.</param>
/// <param name="SourceBytes">Graphs and weights before.</param>
/// <param name="TargetBytes">Graphs and weights after.</param>
/// <param name="RelativeL2">Norm of the logit difference without an adapter over the norm of the source's logits, on random tokens: rounding at most.</param>
public sealed record LoraSlotsReport(int Slots, long SourceBytes, long TargetBytes, double RelativeL2);

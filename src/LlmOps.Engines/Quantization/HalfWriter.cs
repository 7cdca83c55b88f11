using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>Writes a graph whose nodes have 16 or 32 bits as planned, with a cast wherever a value changes its width.</summary>
internal sealed class HalfWriter(GraphRewrite rewrite, HalfPrecision options, HalfPlan plan)
{
    // A copy of a small constant costs less than a cast.
    private const int CastFromBytes = 1024;
    private readonly HashSet<string> half = []; // values that exist in 16 bits under their own name
    private readonly HashSet<string> cast = [];
    private readonly Dictionary<string, string> renamed = []; // graph outputs whose maker gives another type than the graph promises
    private int clamped;

    public void Write(CancellationToken ct)
    {
        var graph = rewrite.Model.Proto.Graph;
        foreach (var input in graph.Input.Where(i => plan.IsFloat(i.Name) && !KeepsType(i.Name)))
        {
            input.Type.TensorType.ElemType = options.Type;
            half.Add(input.Name);
        }
        foreach (var name in graph.Node.Where(plan.Half.Contains).SelectMany(n => n.Output).Where(plan.IsFloat))
            half.Add(name);
        foreach (var output in graph.Output.Where(o => plan.IsFloat(o.Name) && !rewrite.Model.Initializers.ContainsKey(o.Name) && graph.Input.All(i => i.Name != o.Name)))
            Promise(output);
        // Declared types of inner values would contradict what they are now.
        graph.ValueInfo.Clear();
        foreach (var node in graph.Node.ToList())
        {
            ct.ThrowIfCancellationRequested();
            var copy = plan.Half.Contains(node) ? Typed(node, options.Type, rewrite.Model) : node.Clone();
            for (var i = 0; i < copy.Input.Count; i++)
                copy.Input[i] = Read(node, node.Input[i]);
            for (var i = 0; i < copy.Output.Count; i++)
                copy.Output[i] = renamed.GetValueOrDefault(copy.Output[i], copy.Output[i]);
            foreach (var body in copy.Bodies())
                Capture(body, graph);
            rewrite.Replace(node, copy);
        }
        if (clamped > 0)
            rewrite.Notes.Add($"{clamped} weights beyond 65504 became 65504.");
    }

    private bool KeepsType(string name) => options.KeepIoTypes
        && !(options.HalfCache && (name.StartsWith("past", StringComparison.Ordinal) || name.StartsWith("present", StringComparison.Ordinal)));

    private void Promise(ValueInfoProto output)
    {
        var (name, shallBeHalf) = (output.Name, !KeepsType(output.Name));
        if (shallBeHalf)
            output.Type.TensorType.ElemType = options.Type;
        if (half.Contains(name) == shallBeHalf)
            return;
        renamed[name] = $"{name}_{(shallBeHalf ? "float" : "half")}";
        rewrite.Insert(Node("Cast", $"{name}_output_cast", [renamed[name]], [name], Attribute("to", shallBeHalf ? options.Type : ElementTypes.Float)));
    }

    private string Read(NodeProto node, string name)
    {
        if (name.Length == 0 || !plan.IsFloat(name))
            return name;
        var wantsHalf = plan.Half.Contains(node);
        if (rewrite.Model.Initializers.TryGetValue(name, out var tensor))
            return wantsHalf ? Halved(tensor)
                : plan.ReadsStoredHalf(node) && 4 * tensor.ElementCount() >= CastFromBytes ? Cast(Halved(tensor), toHalf: false) : name;
        var made = renamed.GetValueOrDefault(name, name);
        return half.Contains(name) == wantsHalf ? made : Cast(made, wantsHalf);
    }

    private string Cast(string name, bool toHalf)
    {
        var result = $"{name}_to_{(toHalf ? "half" : "float")}";
        if (cast.Add(result))
            rewrite.Insert(Node("Cast", $"{result}_cast", [name], [result], Attribute("to", toHalf ? options.Type : ElementTypes.Float)));
        return result;
    }

    private string Halved(TensorProto tensor)
    {
        var name = $"{tensor.Name}_half";
        if (rewrite.IsAdded(name))
            return name;
        var values = rewrite.Model.Float32(tensor);
        return rewrite.Add<ushort>(name, options.Type, [.. tensor.Dims], Narrow(values));
    }

    private ushort[] Narrow(float[] values)
    {
        var result = new ushort[values.Length];
        if (options.BFloat16)
            for (var i = 0; i < result.Length; i++)
                result[i] = HalfFloats.ToBFloat16(values[i]);
        else
            clamped += HalfFloats.ToHalf(values, result);
        return result;
    }

    // A body stays as it is and reads 32-bit values under new names.
    private void Capture(GraphProto body, GraphProto graph)
    {
        foreach (var name in body.Captured().Where(n => half.Contains(n) || renamed.ContainsKey(n)).Distinct().ToList())
        {
            var made = renamed.GetValueOrDefault(name, name);
            Rename(body, name, half.Contains(name) ? Cast(made, toHalf: false) : made);
        }
    }

    private static void Rename(GraphProto body, string from, string to)
    {
        foreach (var node in body.Node)
        {
            for (var i = 0; i < node.Input.Count; i++)
                if (node.Input[i] == from)
                    node.Input[i] = to;
            foreach (var inner in node.Bodies().Where(b => b.Captured().Contains(from)))
                Rename(inner, from, to);
        }
        // A body that gives an outer value as its result needs a node to give it a name.
        foreach (var output in body.Output.Where(o => o.Name == from))
            body.Node.Add(Node("Identity", $"{from}_captured", [to], [from]));
    }

    /// <summary>A node as it is in 16 bits: types among its attributes follow.</summary>
    public static NodeProto Typed(NodeProto node, int type, OnnxModel model)
    {
        var copy = node.Clone();
        foreach (var attribute in copy.Attribute)
            if (attribute.Name == "to" && node.OpType == "Cast" && attribute.I == ElementTypes.Float)
                attribute.I = type;
            else if (attribute.T is { DataType: ElementTypes.Float } tensor)
            {
                var values = model.Float32(tensor);
                var narrow = new ushort[values.Length];
                if (type == ElementTypes.BFloat16)
                    narrow = Array.ConvertAll(values, HalfFloats.ToBFloat16);
                else
                    HalfFloats.ToHalf(values, narrow);
                attribute.T = new TensorProto { Name = tensor.Name, Dims = { tensor.Dims }, DataType = type, RawData = Google.Protobuf.ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<ushort>(narrow)) };
            }
        return copy;
    }
}

using System.Globalization;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Quantization;

/// <summary>Which nodes compute in 16 bits, and why the others do not.</summary>
internal sealed class HalfPlan
{
    private static readonly HashSet<string> Float32Ops =
    [
        // Without a 16-bit form, or with inputs that are 32-bit floats whatever the data is.
        "ArrayFeatureExtractor", "Binarizer", "CastMap", "CategoryMapper", "DictVectorizer", "FeatureVectorizer", "Imputer", "LabelEncoder", "Normalizer", "OneHotEncoder", "Scaler", "ZipMap",
        "NonMaxSuppression", "TopK", "RoiAlign", "Resize", "Upsample", "Range", "CumSum", "Min", "Max",
        // Their element types are part of what they compute.
        "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli", "EyeLike", "Constant",
        // Squares and powers leave the range of float16 from 256 on.
        "Pow", "ReduceSumSquare", "ReduceL2", "ReduceLogSumExp", "MeanVarianceNormalization",
    ];

    private static readonly HashSet<string> NormsAndSoftmax =
    [
        "Softmax", "LogSoftmax", "LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "InstanceNormalization",
        "GroupNormalization", "BatchNormalization", "ReduceMean",
    ];

    private readonly Dictionary<string, int> types = [];
    private readonly HashSet<NodeProto> stored = new(ReferenceEqualityComparer.Instance);

    public HalfPlan(GraphRewrite rewrite, HalfPrecision options, IReadOnlyDictionary<string, double> overflows)
    {
        var graph = rewrite.Model.Proto.Graph;
        using (var scan = new ActivationScan(rewrite.Model))
            foreach (var name in graph.Node.SelectMany(n => n.Output).Concat(graph.Input.Select(i => i.Name)).Where(n => n.Length > 0))
                types[name] = scan.Type(name);
        foreach (var tensor in graph.Initializer)
            types[tensor.Name] = tensor.DataType;
        var beyond = options.BFloat16 ? [] : Beyond(rewrite.Model);
        var functions = rewrite.Model.Proto.Functions.Select(f => (f.Domain, f.Name)).ToHashSet();
        var kernels = new Dictionary<string, bool>();
        var kept = new Dictionary<string, (string Why, int Count)>();
        foreach (var node in graph.Node.Where(n => n.Input.Concat(n.Output).Any(IsFloat)))
        {
            var why = Reason(node);
            if (why is null && !HasKernel(node))
            {
                stored.Add(node);
                why = $"ONNX Runtime's CPU provider has no {ElementTypes.Name(options.Type)} kernel for it; its weights are stored with 16 bits";
            }
            if (why is null)
                Half.Add(node);
            else
            {
                rewrite.Skipped++;
                var key = $"{node.OpType}: {why}";
                kept[key] = (why, kept.GetValueOrDefault(key).Count + 1);
            }
        }
        foreach (var (key, (why, count)) in kept)
            rewrite.Notes.Add($"{key[..^(why.Length + 2)]}: {count} nodes stay in 32-bit floats, because {why}.");

        string? Reason(NodeProto node)
        {
            if ((options.Exclude ?? ExclusionRules.None).Excludes(node))
                return "an exclusion rule asks for it";
            if (node.Bodies().Any() || functions.Contains((node.Domain, node.OpType)))
                return "its body does";
            if (node.Domain == "ai.onnx.ml" || Float32Ops.Contains(node.OpType) || node.OpType.Contains("Integer", StringComparison.Ordinal))
                return "its operator is one of those";
            if (options.NormsAndSoftmaxInFloat && NormsAndSoftmax.Contains(node.OpType))
                return "norms and softmax shall";
            if (node.Input.Concat(node.Output).Any(name => name.Length > 0 && types.GetValueOrDefault(name, ElementTypes.Float) == 0))
                return "it reads or makes something that is no tensor";
            if (!options.HalfCache && node.Input.Any(name => IsFloat(name) && name.StartsWith("past", StringComparison.Ordinal) && graph.Input.Any(i => i.Name == name)))
                return "the cache does";
            if (!options.BFloat16 && node.Input.FirstOrDefault(name => beyond.ContainsKey(name)) is { } weight)
                return string.Create(CultureInfo.InvariantCulture, $"its constant '{weight}' reaches {beyond[weight]:g4}");
            var over = node.Output.Concat(node.Input).Where(overflows.ContainsKey).OrderByDescending(name => overflows[name]).FirstOrDefault();
            return over is null ? null : string.Create(CultureInfo.InvariantCulture, $"'{over}' reached {overflows[over]:g4} in the overflow scan of {node.Title()}");
        }

        bool HasKernel(NodeProto node)
        {
            var form = $"{node.Domain}.{node.OpType}({string.Join(",", node.Input.Select(i => i.Length == 0 ? 0 : types.GetValueOrDefault(i)))}){string.Join(",", node.Attribute.Where(a => a.Type is 2 or 7).Select(a => $"{a.Name}{a.I}{a.Ints}"))}";
            return kernels.TryGetValue(form, out var has) ? has : kernels[form] =
                OperatorSupport.HasKernel(rewrite.Model.Proto, HalfWriter.Typed(node, options.Type, rewrite.Model), name => IsFloat(name) ? options.Type : types.GetValueOrDefault(name, ElementTypes.Float));
        }
    }

    // From 1e30 on it stands for infinity, as the bound of a Clip or in a mask, and may as well be 65504.
    private static Dictionary<string, double> Beyond(OnnxModel model)
    {
        var found = new Dictionary<string, double>();
        foreach (var tensor in model.Proto.Graph.Initializer.Where(t => t.DataType == ElementTypes.Float))
        {
            var largest = 0f;
            foreach (var value in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(model.Bytes(tensor)))
                if (Math.Abs(value) is var size and < 1e30f && size > largest)
                    largest = size;
            if (largest > HalfFloats.LargestHalf)
                found[tensor.Name] = largest;
        }
        return found;
    }

    /// <summary>Nodes that compute in 16 bits.</summary>
    public HashSet<NodeProto> Half { get; } = new(ReferenceEqualityComparer.Instance);

    /// <summary>Whether some 32-bit node reads weights that are stored with 16 bits.</summary>
    public bool StoresHalf => stored.Count > 0;

    public bool ReadsStoredHalf(NodeProto node) => stored.Contains(node);

    public bool IsFloat(string name) => types.GetValueOrDefault(name) == ElementTypes.Float;
}

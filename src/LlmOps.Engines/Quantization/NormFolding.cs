using System.Numerics.Tensors;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Quantization;

/// <summary>Products that read the same activation, and where a scale of its channels can be hidden.</summary>
/// <param name="Input">Name of the activation.</param>
/// <param name="Products">All products that read it.</param>
/// <param name="Fold">Null when the activation cannot be scaled without changing the model.</param>
internal sealed record InputGroup(string Input, IReadOnlyList<WeightProduct> Products, FoldTarget? Fold)
{
    public int Width => Products[0].Inputs;
}

/// <summary>Constants that make an activation: dividing them divides its channels.</summary>
/// <param name="Constants">Names of weight (and bias) of the norm that gives it; empty when it comes from a product.</param>
/// <param name="Source">The product whose outputs it is, multiplied by something else; null when it comes from a norm.</param>
/// <param name="FirstRow">First of the product's outputs that counts.</param>
internal sealed record FoldTarget(IReadOnlyList<string> Constants, WeightProduct? Source = null, int FirstRow = 0);

/// <summary>
/// Moves scales of activation channels between weights: a product's inputs are multiplied by s, and the norm weight before it, or the outputs of the
/// product that feeds it, are divided by s. The model computes the same; its matrices are easier to round. AWQ and SmoothQuant share it.
/// </summary>
internal sealed class NormFolding
{
    private static readonly Dictionary<string, int[]> Norms = new()
    {
        // operator → inputs that hold its weight and bias
        ["SimplifiedLayerNormalization"] = [1], ["RMSNormalization"] = [1], ["LayerNormalization"] = [1, 2],
        ["SkipSimplifiedLayerNormalization"] = [2], ["SkipLayerNormalization"] = [2, 3],
    };

    private readonly GraphRewrite rewrite;
    private readonly Dictionary<string, NodeProto> makers = [];
    private readonly Dictionary<string, List<NodeProto>> readers = [];
    private readonly Dictionary<string, WeightProduct> products;
    private readonly Dictionary<WeightProduct, float[]> columns = new(ReferenceEqualityComparer.Instance), rows = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, float[]> constants = [];

    public NormFolding(GraphRewrite rewrite)
    {
        this.rewrite = rewrite;
        products = rewrite.Products.ToDictionary(p => p.Node.Output[0]);
        var outputs = rewrite.Model.Proto.Graph.Output.Select(o => o.Name).ToHashSet();
        foreach (var node in rewrite.Model.Proto.Graph.Node)
        {
            foreach (var output in node.Output.Where(o => o.Length > 0))
                makers[output] = node;
            foreach (var input in node.Input.Where(i => i.Length > 0).Distinct())
                (readers.TryGetValue(input, out var list) ? list : readers[input] = []).Add(node);
        }
        Groups = [.. rewrite.Products.GroupBy(p => p.Node.Input[0]).Select(g => new InputGroup(g.Key, [.. g], outputs.Contains(g.Key) ? null : Target(g.Key, [.. g])))];
    }

    /// <summary>In the order of the graph.</summary>
    public IReadOnlyList<InputGroup> Groups { get; }

    private FoldTarget? Target(string input, IReadOnlyList<WeightProduct> group)
    {
        var width = group[0].Inputs;
        if (group.Any(p => p.Inputs != width) || !makers.TryGetValue(input, out var maker))
            return null;
        // Another reader would see the scaled values, and a matrix that something else reads too (a tied head) must stay as it is.
        if (readers[input].Any(r => !group.Any(p => ReferenceEquals(p.Node, r))) || group.Any(p => readers[p.Weight.Name].Count > 1))
            return null;
        if (Norms.TryGetValue(maker.OpType, out var positions) && maker.Output[0] == input)
        {
            var names = positions.Where(i => i < maker.Input.Count && maker.Input[i].Length > 0).Select(i => maker.Input[i]).ToList();
            return names.Count > 0 && names.All(n => IsOwnVector(n, width)) ? new(names) : null;
        }
        if (maker.OpType == "Mul" && maker.Input.Where(i => readers[i].Count == 1).Select(i => products.GetValueOrDefault(i)).OfType<WeightProduct>().FirstOrDefault() is { } factor)
            return IsOwnMatrix(factor) && factor.Outputs == width ? new([], factor) : null;
        return maker is { OpType: "GroupQueryAttention", Domain: Nodes.Contrib } ? Values(maker, width) : null;
    }

    // Attention mixes positions, never channels of the values, so a value channel's scale passes through; with fewer value heads than query heads one value feeds several.
    private FoldTarget? Values(NodeProto attention, int width)
    {
        if (attention.Integer("num_heads", 0) != attention.Integer("kv_num_heads", -1))
            return null;
        var packed = attention.Input.Count < 3 || attention.Input[2].Length == 0;
        return products.GetValueOrDefault(attention.Input[packed ? 0 : 2]) is { } source && IsOwnMatrix(source) && readers[source.Node.Output[0]].Count == 1 && source.Outputs == (packed ? 3 : 1) * width
            ? new([], source, source.Outputs - width) : null;
    }

    private bool IsOwnVector(string name, int width) => readers[name].Count == 1 && rewrite.Model.Initializers.TryGetValue(name, out var tensor)
        && tensor.DataType == ElementTypes.Float && tensor.Dims.Count == 1 && tensor.Dims[0] == width;

    private bool IsOwnMatrix(WeightProduct product) => readers[product.Weight.Name].Count == 1;

    /// <summary>Scales the channels of a group's input. Products that feed it have to be written after this.</summary>
    public void Scale(InputGroup group, float[] scales)
    {
        foreach (var product in group.Products)
            columns[product] = columns.TryGetValue(product, out var earlier) ? Times(earlier, scales) : scales;
        if (group.Fold!.Source is { } source)
        {
            if (!rows.TryGetValue(source, out var divisors))
                Array.Fill(rows[source] = divisors = new float[source.Outputs], 1);
            TensorPrimitives.Multiply(divisors.AsSpan(group.Fold.FirstRow, scales.Length), scales, divisors.AsSpan(group.Fold.FirstRow, scales.Length));
        }
        foreach (var name in group.Fold.Constants)
        {
            var values = constants.TryGetValue(name, out var scaled) ? scaled : constants[name] = rewrite.Model.Float32(rewrite.Model.Initializers[name]);
            TensorPrimitives.Divide(values, scales, values);
        }
    }

    /// <summary>A product's weights [outputs, inputs] with the scales given so far.</summary>
    public float[] Weights(WeightProduct product)
    {
        var weights = GraphRewrite.RowsPerOutput(rewrite.Model, product);
        columns.TryGetValue(product, out var scales);
        rows.TryGetValue(product, out var divisors);
        if (scales is not null || divisors is not null)
            Parallel.For(0, product.Outputs, row =>
            {
                var part = weights.AsSpan(row * product.Inputs, product.Inputs);
                if (scales is not null)
                    TensorPrimitives.Multiply(part, scales, part);
                if (divisors is not null)
                    TensorPrimitives.Divide(part, divisors[row], part);
            });
        return weights;
    }

    /// <summary>Hands the changed constants to the graph, and the matrices of products that stay in floating point.</summary>
    public void Finish()
    {
        foreach (var (name, values) in constants)
            rewrite.Change(name, values);
        foreach (var product in rewrite.Products.Where(p => (columns.ContainsKey(p) || rows.ContainsKey(p)) && !rewrite.IsReplaced(p.Node)))
        {
            var weights = Weights(product);
            if (product.OutputsFirst)
                rewrite.Change(product.Weight.Name, weights);
            else
            {
                var columnsFirst = new float[weights.Length];
                Matrix.Transpose<float>(weights, product.Outputs, product.Inputs, columnsFirst, product.Outputs);
                rewrite.Change(product.Weight.Name, columnsFirst);
            }
        }
    }

    private static float[] Times(float[] a, float[] b)
    {
        var result = new float[a.Length];
        TensorPrimitives.Multiply(a, b, result);
        return result;
    }
}

using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Writes the nodes that both forms of a decoder share and leaves to the form what differs: norms, attention and the head. Every method appends nodes and returns the
/// name of the tensor that they make.
/// </summary>
internal abstract class GraphEmitter(GraphProto graph, ModelConfig config)
{
    protected GraphProto Graph { get; } = graph;
    protected ModelConfig Config { get; } = config;

    public static GraphEmitter Of(GraphForm form, GraphProto graph, ModelConfig config) => form == GraphForm.Portable ? new PortableEmitter(graph, config) : new ContribEmitter(graph, config);

    /// <summary>Version of the standard operators.</summary>
    public abstract long Opset { get; }
    /// <summary>Version of the file format that brought <see cref="Opset"/>.</summary>
    public abstract long IrVersion { get; }

    /// <summary>Inputs of the form beyond those that both have, and what is computed from them once for all layers.</summary>
    public abstract void Begin();

    /// <summary>int64 <c>[batch, sequence]</c>: the position of every token in its row.</summary>
    public abstract string Positions();

    /// <summary>RMSNorm or LayerNorm; <paramref name="weights"/> is the name without <c>.weight</c> and <c>.bias</c>.</summary>
    public abstract string Norm(string name, string input, string weights);

    /// <summary>The sum of residual stream and branch, and its norm.</summary>
    public abstract (string Normed, string Sum) AddNorm(string name, string residual, string branch, string weights, bool keepSum = true);

    /// <summary>Attention of one layer from queries, keys and values side by side, <c>[batch, sequence, (heads + 2 · kv heads) · head]</c>, to <c>[batch, sequence, heads · head]</c>.</summary>
    public abstract string Attention(int layer, string qkv);

    /// <summary>The product with <c>[vocabulary, hidden]</c>, read as it is stored: a tied head needs no second, transposed copy on disk or at load.</summary>
    public abstract void Head(string input, string weight, string output);

    public string Add(string domain, string op, string name, string[] inputs, params AttributeProto[] attributes)
    {
        Graph.Node.Add(Node(domain, op, name, inputs, [$"{name}/output_0"], attributes));
        return $"{name}/output_0";
    }

    public string Add(string op, string name, string[] inputs, params AttributeProto[] attributes) => Add("", op, name, inputs, attributes);

    /// <summary>A small constant, stored once.</summary>
    public string Constant(long value, bool scalar = false)
    {
        var name = $"/model/constants/INT64/{(scalar ? value : $"[{value}]")}";
        if (Graph.Initializer.All(t => t.Name != name))
            Graph.Initializer.Add(Small(name, ElementTypes.Int64, scalar ? [] : [1], BitConverter.GetBytes(value)));
        return name;
    }

    public string Constant(string name, params long[] values)
    {
        if (Graph.Initializer.All(t => t.Name != name))
            Graph.Initializer.Add(Small(name, ElementTypes.Int64, [values.Length], [.. values.SelectMany(BitConverter.GetBytes)]));
        return name;
    }

    public string Constant(string name, float value)
    {
        if (Graph.Initializer.All(t => t.Name != name))
            Graph.Initializer.Add(Small(name, ElementTypes.Float, [], BitConverter.GetBytes(value)));
        return name;
    }

    public string MatMul(string name, string input, string weights, bool bias)
    {
        var product = Add("MatMul", $"{name}/MatMul", [input, $"{weights}.MatMul.weight"]);
        return bias ? Add("Add", $"{name}/Add", [product, $"{weights}.Add.bias"]) : product;
    }

    /// <summary>The activation of the MLP.</summary>
    public string Activation(string name, string input)
    {
        switch (Config.HiddenAct)
        {
            case "silu" or "swish":
                return Add("Mul", $"{name}/Mul", [input, Add("Sigmoid", $"{name}/Sigmoid", [input])]);
            case "gelu":
                return Add("Gelu", $"{name}/Gelu", [input], Attribute("approximate", "none"));
            case "relu":
                return Add("Relu", $"{name}/Relu", [input]);
            case "relu2":
                var positive = Add("Relu", $"{name}/Relu", [input]);
                return Add("Mul", $"{name}/Mul", [positive, positive]);
            default:
                return Add("Gelu", $"{name}/Gelu", [input], Attribute("approximate", "tanh"));
        }
    }

    /// <summary>c · tanh(x / c).</summary>
    public string Softcap(string name, string input, double cap)
    {
        var constant = Constant($"{name}/cap", (float)cap);
        return Add("Mul", $"{name}/Mul", [Add("Tanh", $"{name}/Tanh", [Add("Div", $"{name}/Div", [input, constant])]), constant]);
    }

    /// <summary>RMSNorm of each head on its own, weights <c>[head]</c>.</summary>
    protected string HeadNorm(string name, string input, string weights)
    {
        var heads = Add("Reshape", $"{name}/heads/Reshape", [input, Constant("/model/constants/heads", 0, 0, -1, Config.HeadDim)]);
        return Add("Reshape", $"{name}/Reshape", [Norm(name, heads, weights), Constant("/model/constants/joined", 0, 0, -1)]);
    }

    /// <summary>Queries, keys and values one by one; the former two normed where the family norms them.</summary>
    protected (string Query, string Key, string Value) Split(int layer, string qkv)
    {
        var name = $"/model/layers.{layer}/attn";
        string query = $"{name}/Split/output_0", key = $"{name}/Split/output_1", value = $"{name}/Split/output_2";
        int heads = Config.NumAttentionHeads * Config.HeadDim, kv = Config.NumKeyValueHeads * Config.HeadDim;
        Graph.Node.Add(Node("Split", $"{name}/Split", [qkv, Constant("/model/constants/qkv_widths", heads, kv, kv)], [query, key, value], Attribute("axis", -1)));
        if (Config.Family.QueryKeyNorm)
        {
            query = HeadNorm($"{name}/q_norm", query, $"model.layers.{layer}.attn.q_norm");
            key = HeadNorm($"{name}/k_norm", key, $"model.layers.{layer}.attn.k_norm");
        }
        return (query, key, value);
    }

    /// <summary>Length of a dimension as int64 <c>[1]</c>.</summary>
    protected string Length(string name, string tensor, long axis) =>
        Add("Gather", $"{name}/Gather", [Add("Shape", $"{name}/Shape", [tensor]), Constant(axis)], Attribute("axis", 0));

    /// <summary>longrope keeps its two tables one below the other: positions of sequences that are long move into the second.</summary>
    /// <param name="positions">[batch, sequence].</param>
    /// <param name="lengths">[batch, 1], tokens of each row.</param>
    protected string TablePositions(string positions, string lengths)
    {
        var limit = RotaryTable.Of(Config, sliding: false).SwitchAt;
        const string name = "/model/rotary/table";
        var isLong = Add("Greater", $"{name}/Greater", [lengths, Constant(limit)]);
        return Add("Add", $"{name}/Add", [positions, Add("Where", $"{name}/Where", [isLong, Constant(limit), Constant(0)])]);
    }

    protected bool HasTwoTables => Config.RopeScaling?.Type == "longrope" && RotaryTable.Of(Config, sliding: false).LongFrequencies is not null;

    private static TensorProto Small(string name, int type, long[] dims, byte[] bytes) =>
        new() { Name = name, DataType = type, Dims = { dims }, RawData = Google.Protobuf.ByteString.CopyFrom(bytes) };
}

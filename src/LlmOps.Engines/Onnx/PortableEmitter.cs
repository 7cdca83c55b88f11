using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>Standard operators only; what may be seen is computed once as a mask, so that padding, windows and chunks need no help from the attention operator.</summary>
internal sealed class PortableEmitter(GraphProto graph, ModelConfig config) : GraphEmitter(graph, config)
{
    private const string Name = "/model/mask";
    private string tablePositions = DecoderGraph.PositionIds;
    private string visible = "";
    private readonly Dictionary<int, string> windows = [];

    public override long Opset => 23;
    public override long IrVersion => 11;

    public override void Begin()
    {
        Graph.Input.Add(Value(DecoderGraph.PositionIds, ElementTypes.Int64, "batch_size", "sequence_length"));
        string total = Length($"{Name}/total", DecoderGraph.AttentionMask, 1), sequence = Length($"{Name}/sequence", DecoderGraph.InputIds, 1);
        string Scalar(string name, string value) => Add("Squeeze", name, [value, Constant(0)]);
        var end = Scalar($"{Name}/end/Squeeze", total);
        var start = Scalar($"{Name}/start/Squeeze", Add("Sub", $"{Name}/start/Sub", [total, sequence]));
        var keys = Add("Range", $"{Name}/keys/Range", [Constant(0, scalar: true), end, Constant(1, scalar: true)]);
        var queries = Add("Unsqueeze", $"{Name}/queries/Unsqueeze", [Add("Range", $"{Name}/queries/Range", [start, end, Constant(1, scalar: true)]), Constant(1)]);
        var causal = Add("LessOrEqual", $"{Name}/causal/LessOrEqual", [keys, queries]);
        var real = Add("Unsqueeze", $"{Name}/real/Unsqueeze",
            [Add("Cast", $"{Name}/real/Cast", [DecoderGraph.AttentionMask], Attribute("to", ElementTypes.Bool)), Constant("/model/constants/head_and_query", 1, 2)]);
        // A padding token sees itself: a row that sees nothing would become NaN, and zero times NaN would spread.
        var seen = Add("Or", $"{Name}/Or", [real, Add("Equal", $"{Name}/self/Equal", [keys, queries])]);
        visible = Add("And", $"{Name}/And", [causal, seen]);
        foreach (var window in Enumerable.Range(0, Config.NumHiddenLayers).Select(Config.Window).OfType<int>().Distinct())
        {
            var far = Add("Sub", $"{Name}/window_{window}/Sub", [queries, Constant(window)]);
            windows[window] = Add("And", $"{Name}/window_{window}/And", [visible, Add("Greater", $"{Name}/window_{window}/Greater", [keys, far])]);
        }
        if (HasTwoTables)
            tablePositions = TablePositions(DecoderGraph.PositionIds, Add("ReduceSum", $"{Name}/lengths/ReduceSum", [DecoderGraph.AttentionMask, Constant(1)], Attribute("keepdims", 1)));
    }

    public override string Positions() => DecoderGraph.PositionIds;

    public override string Norm(string name, string input, string weights)
    {
        var epsilon = Attribute("epsilon", (float)Config.RmsNormEps);
        Graph.Node.Add(Config.Family.LayerNorm
            ? Node("LayerNormalization", $"{name}/LayerNorm", [input, $"{weights}.weight", $"{weights}.bias"], [$"{name}/output_0"], Attribute("axis", -1), epsilon)
            : Node("RMSNormalization", $"{name}/LayerNorm", [input, $"{weights}.weight"], [$"{name}/output_0"], Attribute("axis", -1), epsilon));
        return $"{name}/output_0";
    }

    public override (string Normed, string Sum) AddNorm(string name, string residual, string branch, string weights, bool keepSum)
    {
        var sum = $"{name}/output_3";
        Graph.Node.Add(Node("Add", $"{name}/Add", [residual, branch], [sum]));
        return (Norm(name, sum, weights), sum);
    }

    public override string Attention(int layer, string qkv)
    {
        var name = $"/model/layers.{layer}/attn";
        var (query, key, value) = Split(layer, qkv);
        if (Config.HasRotary(layer))
        {
            query = Rotate($"{name}/q_rotary/RotaryEmbedding", layer, query, Config.NumAttentionHeads);
            key = Rotate($"{name}/k_rotary/RotaryEmbedding", layer, key, Config.NumKeyValueHeads);
        }
        List<AttributeProto> attributes =
        [
            Attribute("q_num_heads", Config.NumAttentionHeads), Attribute("kv_num_heads", Config.NumKeyValueHeads), Attribute("scale", (float)Config.AttentionScale),
        ];
        if (Config.AttnLogitSoftcapping is { } cap)
            attributes.Add(Attribute("softcap", (float)cap));
        var mask = Config.Window(layer) is { } window ? windows[window] : visible;
        Graph.Node.Add(Node("Attention", $"{name}/Attention", [query, key, value, mask, DecoderGraph.PastKey(layer), DecoderGraph.PastValue(layer)],
            [$"{name}/Attention/output_0", DecoderGraph.PresentKey(layer), DecoderGraph.PresentValue(layer)], [.. attributes]));
        return $"{name}/Attention/output_0";
    }

    private string Rotate(string name, int layer, string input, int heads)
    {
        var (cos, sin) = DecoderWeights.RotaryNames(Config, layer);
        return Add("RotaryEmbedding", name, [input, cos, sin, tablePositions],
            Attribute("num_heads", heads), Attribute("interleaved", 0), Attribute("rotary_embedding_dim", Config.RotaryDim == Config.HeadDim ? 0 : Config.RotaryDim));
    }

    // Gemm multiplies matrices only, so the positions of all rows become the rows of one.
    public override void Head(string input, string weight, string output)
    {
        var rows = Add("Reshape", "/lm_head/rows/Reshape", [input, Constant("/model/constants/rows", -1, Config.HiddenSize)]);
        var logits = Add("Gemm", "/lm_head/Gemm", [rows, weight], Attribute("transB", 1));
        var shape = Add("Concat", "/lm_head/shape/Concat", [Add("Shape", "/lm_head/shape/Shape", [DecoderGraph.InputIds]), Constant(Config.VocabSize)], Attribute("axis", 0));
        Graph.Node.Add(Node("Reshape", "/lm_head/Reshape", [logits, shape], [output]));
    }
}

using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>The form of ONNX Runtime GenAI's model builder: names and operators as there, so that its tools recognise the graph.</summary>
internal sealed class ContribEmitter(GraphProto graph, ModelConfig config) : GraphEmitter(graph, config)
{
    private const string Mask = "/model/attn_mask_reformat", Lengths = Mask + "/seqlens_k/Cast/output_0", Total = Mask + "/total/Cast/output_0";
    private string? tablePositions, positions;

    public override long Opset => 21;
    public override long IrVersion => 10;

    // GroupQueryAttention wants each row's last position and the longest length, both int32; the mask carries both.
    public override void Begin()
    {
        var sums = Add("ReduceSum", $"{Mask}/ReduceSum", [DecoderGraph.AttentionMask, Constant(1)], Attribute("keepdims", 0));
        Add("Cast", $"{Mask}/seqlens_k/Cast", [Add("Sub", $"{Mask}/Sub", [sums, Constant(1)])], Attribute("to", ElementTypes.Int32));
        var shape = Add("Shape", $"{Mask}/Shape", [DecoderGraph.AttentionMask]);
        Add("Cast", $"{Mask}/total/Cast", [Add("Gather", $"{Mask}/Gather", [shape, Constant(1, scalar: true)], Attribute("axis", 0))], Attribute("to", ElementTypes.Int32));
        if (HasTwoTables)
            tablePositions = TablePositions(Positions(), Add("Unsqueeze", $"{Mask}/lengths/Unsqueeze", [sums, Constant(1)]));
    }

    // A single new token of a row stands at its last position; several stand after what the cache holds, which for a padded batch is nothing.
    public override string Positions()
    {
        if (positions is not null)
            return positions;
        const string name = "/model/positions";
        var sequence = Length($"{name}/sequence", DecoderGraph.InputIds, 1);
        var total = Length($"{name}/total", DecoderGraph.AttentionMask, 1);
        var last = Add("Cast", $"{name}/last/Cast", [Add("Unsqueeze", $"{name}/last/Unsqueeze", [Lengths, Constant(1)])], Attribute("to", ElementTypes.Int64));
        var isStep = Add("Equal", $"{name}/Equal", [sequence, Constant(1)]);
        var first = Add("Where", $"{name}/Where", [isStep, last, Add("Sub", $"{name}/Sub", [total, sequence])]);
        var steps = Add("Range", $"{name}/Range", [Constant(0, scalar: true), Add("Squeeze", $"{name}/Squeeze", [sequence, Constant(0)]), Constant(1, scalar: true)]);
        return positions = Add("Add", $"{name}/Add", [first, steps]);
    }

    public override string Norm(string name, string input, string weights)
    {
        var epsilon = Attribute("epsilon", (float)Config.RmsNormEps);
        var output = Config.Family.LayerNorm
            ? Node("LayerNormalization", $"{name}/LayerNorm", [input, $"{weights}.weight", $"{weights}.bias"], [$"{name}/output_0"], Attribute("axis", -1), epsilon, Attribute("stash_type", 1))
            : Node("SimplifiedLayerNormalization", $"{name}/LayerNorm", [input, $"{weights}.weight"], [$"{name}/output_0"], Attribute("axis", -1), epsilon, Attribute("stash_type", 1));
        Graph.Node.Add(output);
        return $"{name}/output_0";
    }

    // Output 0 is the norm, output 3 the sum before it: the residual stream of the next block.
    public override (string Normed, string Sum) AddNorm(string name, string residual, string branch, string weights, bool keepSum)
    {
        var layerNorm = Config.Family.LayerNorm;
        string[] inputs = layerNorm ? [residual, branch, $"{weights}.weight", $"{weights}.bias"] : [residual, branch, $"{weights}.weight"];
        Graph.Node.Add(Node(Contrib, layerNorm ? "SkipLayerNormalization" : "SkipSimplifiedLayerNormalization", $"{name}/SkipLayerNorm", inputs,
            keepSum ? [$"{name}/output_0", "", "", $"{name}/output_3"] : [$"{name}/output_0"], Attribute("epsilon", (float)Config.RmsNormEps)));
        return ($"{name}/output_0", $"{name}/output_3");
    }

    public override string Attention(int layer, string qkv)
    {
        var name = $"/model/layers.{layer}/attn/GroupQueryAttention";
        var rotary = Config.HasRotary(layer);
        var (query, key, value) = Config.Family.QueryKeyNorm ? Split(layer, qkv) : (qkv, "", "");
        var (cos, sin) = rotary ? DecoderWeights.RotaryNames(Config, layer) : ("", "");
        List<string> inputs = [query, key, value, DecoderGraph.PastKey(layer), DecoderGraph.PastValue(layer), Lengths, Total];
        if (rotary)
            inputs.AddRange([cos, sin]);
        if (rotary && tablePositions is not null)
            inputs.Add(tablePositions);
        Graph.Node.Add(Node(Contrib, "GroupQueryAttention", name, [.. inputs], [$"{name}/output_0", DecoderGraph.PresentKey(layer), DecoderGraph.PresentValue(layer)],
            Attribute("num_heads", Config.NumAttentionHeads), Attribute("kv_num_heads", Config.NumKeyValueHeads), Attribute("scale", (float)Config.AttentionScale),
            Attribute("local_window_size", Config.Window(layer) ?? -1), Attribute("softcap", (float)(Config.AttnLogitSoftcapping ?? 0)),
            Attribute("do_rotary", rotary ? 1 : 0), Attribute("rotary_interleaved", 0)));
        return $"{name}/output_0";
    }

    public override void Head(string input, string weight, string output) =>
        Graph.Node.Add(Node(Contrib, "FusedMatMul", "/lm_head/MatMul", [input, weight], [output], Attribute("transA", 0), Attribute("transB", 1), Attribute("alpha", 1f)));
}

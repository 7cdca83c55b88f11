using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>The nodes from hidden states to one vector for each text. Padding has no share in any mode.</summary>
internal sealed class EncoderPooling(GraphProto graph, OnnxWriter writer)
{
    // sentence-transformers' own floors: a text without a visible token gives zero, not NaN.
    private const float SmallestCount = 1e-9f, SmallestLength = 1e-12f, Masked = -1e9f;

    public void Add(SentencePooling pooling, int hidden)
    {
        graph.Output.Add(Value(EncoderGraph.Sentence, ElementTypes.Float, "batch_size", hidden));
        var pooled = pooling.Mode switch
        {
            PoolingMode.Cls => Add("Gather", "/pooling/Gather", [EncoderGraph.Hidden, Constant<long>("first", ElementTypes.Int64, 0)], Attribute("axis", 1)),
            PoolingMode.Mean => Mean(),
            PoolingMode.Max => Max(),
            _ => throw new ArgumentOutOfRangeException(nameof(pooling), pooling.Mode, "This pooling is not known."),
        };
        if (pooling.Normalize)
        {
            var length = Add("ReduceL2", "/normalize/ReduceL2", [pooled, Axis("last", -1)], Attribute("keepdims", 1));
            pooled = Add("Div", "/normalize/Div", [pooled, Add("Max", "/normalize/Max", [length, Constant("smallest_length", ElementTypes.Float, SmallestLength)])]);
        }
        graph.Node.Add(Node("Identity", "/sentence_embedding/Identity", [pooled], [EncoderGraph.Sentence]));
    }

    private string Mean()
    {
        var mask = Add("Cast", "/pooling/Cast", [Column()], Attribute("to", ElementTypes.Float));
        var sum = Add("ReduceSum", "/pooling/Sum", [Add("Mul", "/pooling/Mul", [EncoderGraph.Hidden, mask]), Axis("middle", 1)], Attribute("keepdims", 0));
        var count = Add("ReduceSum", "/pooling/Count", [mask, Axis("middle", 1)], Attribute("keepdims", 0));
        return Add("Div", "/pooling/Div", [sum, Add("Max", "/pooling/Max", [count, Constant("smallest_count", ElementTypes.Float, SmallestCount)])]);
    }

    private string Max()
    {
        var visible = Add("Cast", "/pooling/Cast", [Column()], Attribute("to", ElementTypes.Bool));
        var states = Add("Where", "/pooling/Where", [visible, EncoderGraph.Hidden, Constant("masked_state", ElementTypes.Float, Masked)]);
        return Add("ReduceMax", "/pooling/ReduceMax", [states, Axis("middle", 1)], Attribute("keepdims", 0));
    }

    private string Column() => Add("Unsqueeze", "/pooling/Unsqueeze", [EncoderGraph.AttentionMask, Axis("last", -1)]);

    private string Add(string op, string name, string[] inputs, params AttributeProto[] attributes)
    {
        graph.Node.Add(Node(op, name, inputs, [$"{name}/output_0"], attributes));
        return $"{name}/output_0";
    }

    private string Axis(string name, long value) => writer.Constant<long>(graph, $"/constants/pooling/{name}_axis", ElementTypes.Int64, [1], [value]);
    private string Constant<T>(string name, int type, T value) where T : unmanaged => writer.Constant<T>(graph, $"/constants/pooling/{name}", type, [], [value]);
}

using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>The nodes of an encoder, from one walk with two spellings. Weighted products stay separate nodes in both, because quantization passes look for those.</summary>
internal sealed class EncoderGraph(GraphProto graph, EncoderConfig config, OnnxWriter writer, GraphForm form)
{
    public const string InputIds = "input_ids", AttentionMask = "attention_mask", TokenTypes = "token_type_ids",
        Hidden = "last_hidden_state", Sentence = "sentence_embedding", MaxTokensKey = "llmops.max_tokens", PadKey = "llmops.pad_token_id";
    public const string Words = "embeddings.word_embeddings.weight", Positions = "embeddings.position_embeddings.weight", Types = "embeddings.token_type_embeddings.weight",
        EmbeddingNorm = "embeddings.LayerNorm", RelativeBias = "encoder.relative_attention_bias.by_distance";

    private readonly bool contrib = form == GraphForm.Contrib;
    private readonly AttributeProto epsilon = Attribute("epsilon", (float)config.LayerNormEps);

    public static string LayerWeights(int i) => $"encoder.layer.{i}";

    /// <summary>The places where the stream of hidden states can be compared, in order, by name of their tensor.</summary>
    public static IEnumerable<(string Stage, string Tensor)> Stages(EncoderConfig config)
    {
        yield return ("embeddings", "/embeddings/LayerNorm/output_0");
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            yield return ($"layer {i} attention", AttentionOutput(i));
            yield return ($"layer {i} feed-forward", LayerOutput(config, i));
        }
    }

    private static string AttentionOutput(int i) => $"/encoder/layer.{i}/attention/LayerNorm/output_0";
    private static string LayerOutput(EncoderConfig config, int i) => i == config.NumHiddenLayers - 1 ? Hidden : $"/encoder/layer.{i}/LayerNorm/output_0";

    public void Add(SentencePooling? pooling)
    {
        graph.Input.Add(Value(InputIds, ElementTypes.Int64, "batch_size", "sequence_length"));
        graph.Input.Add(Value(AttentionMask, ElementTypes.Int64, "batch_size", "sequence_length"));
        if (config.TypeVocabSize > 1)
            graph.Input.Add(Value(TokenTypes, ElementTypes.Int64, "batch_size", "sequence_length"));
        graph.Output.Add(Value(Hidden, ElementTypes.Float, "batch_size", "sequence_length", config.HiddenSize));

        var x = Embeddings();
        var (mask, bias) = Mask();
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            string layer = $"/encoder/layer.{i}", weights = LayerWeights(i);
            var attention = Product($"{layer}/attention/output", Attention(i, x, mask, bias), $"{weights}.attention.output");
            x = SkipNorm($"{layer}/attention/LayerNorm", attention, x, $"{weights}.attention", AttentionOutput(i), $"{weights}.attention.output.bias");
            var inner = Activate($"{layer}/intermediate", Product($"{layer}/intermediate", x, $"{weights}.intermediate"), $"{weights}.intermediate.bias");
            x = SkipNorm($"{layer}/LayerNorm", Product($"{layer}/output", inner, $"{weights}.output"), x, weights, LayerOutput(config, i), $"{weights}.output.bias");
        }
        if (pooling is not null)
            new EncoderPooling(graph, writer).Add(pooling, config.HiddenSize);
    }

    private string Embeddings()
    {
        var words = Add("Gather", "/embeddings/word_embeddings/Gather", [Words, InputIds], Attribute("axis", 0));
        var positions = config.PositionOffset > 0 ? CountedPositions()
            : Add("Slice", "/embeddings/position_embeddings/Slice", [Positions, Ints("zero", [0]), Length(), Ints("zero", [0])]);
        var sum = Add("Add", "/embeddings/Add", [words, positions]);
        if (config.TypeVocabSize > 1)
            sum = Add("Add", "/embeddings/Add_1", [sum, Add("Gather", "/embeddings/token_type_embeddings/Gather", [Types, TokenTypes], Attribute("axis", 0))]);
        return Norm("/embeddings/LayerNorm", sum, EmbeddingNorm, "/embeddings/LayerNorm/output_0");
    }

    // RoBERTa counts the tokens that are no padding, from one row after the padding's: pad + (1, 2, 3…).
    private string CountedPositions()
    {
        const string at = "/embeddings/position_ids";
        var pads = Add("Equal", $"{at}/Equal", [InputIds, Ints("pad", [config.PadTokenId])]);
        var tokens = Add("Cast", $"{at}/Cast", [Add("Not", $"{at}/Not", [pads])], Attribute("to", ElementTypes.Int64));
        var counted = Add("Mul", $"{at}/Mul", [Add("CumSum", $"{at}/CumSum", [tokens, Scalar("one_axis", 1)]), tokens]);
        return Add("Gather", "/embeddings/position_embeddings/Gather", [Positions, Add("Add", $"{at}/Add", [counted, Ints("first", [config.PositionOffset - 1])])], Attribute("axis", 0));
    }

    private string? length;
    private string Length() => length ??= Add("Gather", "/sequence_length/Gather", [Add("Shape", "/sequence_length/Shape", [InputIds]), Ints("one", [1])], Attribute("axis", 0));

    // A name for the mask of keys and, with a relative bias, one for that: fused attention takes two, standard attention their sum.
    private (string Mask, string Bias) Mask()
    {
        var bias = config.RelativeBuckets > 0 ? RelativeAttention() : "";
        if (contrib)
            return (Add("Cast", "/attention_mask/Cast", [AttentionMask], Attribute("to", ElementTypes.Int32)), bias);
        var visible = Add("Unsqueeze", "/attention_mask/Unsqueeze", [Add("Cast", "/attention_mask/Cast", [AttentionMask], Attribute("to", ElementTypes.Bool)), Ints("middle_axes", [1, 2])]);
        if (bias.Length > 0)
            return (Add("Where", "/attention_mask/Where", [visible, bias, Float("masked", float.MinValue)]), "");
        // The operator broadcasts over heads only; one row of keys has to be repeated for every query.
        var shape = Add("Concat", "/attention_mask/Concat", [Ints("one", [1]), Ints("one", [1]), Length(), Ints("one", [1])], Attribute("axis", 0));
        return (Add("Expand", "/attention_mask/Expand", [visible, shape]), "");
    }

    private string RelativeAttention()
    {
        const string at = "/encoder/relative_attention_bias";
        var range = Add("Range", $"{at}/Range", [Scalar("zero_scalar", 0), Add("Squeeze", $"{at}/Squeeze", [Length()]), Scalar("one_axis", 1)]);
        var distance = Add("Sub", $"{at}/Sub", [Add("Unsqueeze", $"{at}/Keys", [range, Ints("zero", [0])]), Add("Unsqueeze", $"{at}/Queries", [range, Ints("one", [1])])]);
        var column = Add("Add", $"{at}/Add", [distance, Ints("largest_distance", [config.MaxTokens - 1])]);
        return Add("Unsqueeze", $"{at}/Unsqueeze", [Add("Gather", $"{at}/Gather", [RelativeBias, column], Attribute("axis", 1)), Ints("zero", [0])]);
    }

    private string Attention(int i, string x, string mask, string bias)
    {
        string at = $"/encoder/layer.{i}/attention", weights = $"{LayerWeights(i)}.attention.qkv";
        var qkv = Product($"{at}/qkv", x, weights);
        if (!contrib)
            qkv = Add("Add", $"{at}/qkv/Add", [qkv, $"{weights}.bias"]);
        string[] parts = [$"{at}/q/output_0", $"{at}/k/output_0", $"{at}/v/output_0"];
        graph.Node.Add(Node("Split", $"{at}/Split", [qkv], parts, Attribute("axis", -1), Attribute("num_outputs", 3)));
        var scale = Attribute("scale", 1f / MathF.Sqrt(config.HeadDim));
        var output = $"{at}/Attention/output_0";
        graph.Node.Add(contrib
            // Padding is as far away as in the standard operator; the default of -10000 is close to real scores of some models.
            ? Node(Contrib, "MultiHeadAttention", $"{at}/MultiHeadAttention", bias.Length > 0 ? [.. parts, $"{weights}.bias", mask, bias] : [.. parts, $"{weights}.bias", mask], [output],
                Attribute("num_heads", config.NumAttentionHeads), scale, Attribute("mask_filter_value", float.MinValue))
            : Node("Attention", $"{at}/Attention", [.. parts, mask], [output],
                Attribute("q_num_heads", config.NumAttentionHeads), Attribute("kv_num_heads", config.NumAttentionHeads), scale));
        return output;
    }

    private string Activate(string at, string product, string bias)
    {
        if (contrib && config.Activation != EncoderActivation.Relu)
        {
            var op = config.Activation == EncoderActivation.Gelu ? "BiasGelu" : "FastGelu";
            graph.Node.Add(Node(Contrib, op, $"{at}/{op}", [product, bias], [$"{at}/{op}/output_0"]));
            return $"{at}/{op}/output_0";
        }
        var sum = Add("Add", $"{at}/Add", [product, bias]);
        return config.Activation == EncoderActivation.Relu ? Add("Relu", $"{at}/Relu", [sum])
            : Add("Gelu", $"{at}/Gelu", [sum], Attribute("approximate", config.Activation == EncoderActivation.Gelu ? "none" : "tanh"));
    }

    private string SkipNorm(string at, string branch, string skipped, string normWeights, string output, string bias)
    {
        if (!contrib)
            return Norm(at, Add("Add", $"{at}/Residual", [Add("Add", $"{at}/Bias", [branch, bias]), skipped]), $"{normWeights}.LayerNorm", output);
        graph.Node.Add(Node(Contrib, "SkipLayerNormalization", $"{at}/SkipLayerNorm", [branch, skipped, $"{normWeights}.LayerNorm.weight", $"{normWeights}.LayerNorm.bias", bias], [output], epsilon));
        return output;
    }

    private string Norm(string at, string input, string weights, string output)
    {
        graph.Node.Add(Node("LayerNormalization", $"{at}/LayerNorm", [input, $"{weights}.weight", $"{weights}.bias"], [output], Attribute("axis", -1), epsilon));
        return output;
    }

    private string Product(string at, string input, string weight) => Add("MatMul", $"{at}/MatMul", [input, $"{weight}.MatMul.weight"]);

    private string Add(string op, string name, string[] inputs, params AttributeProto[] attributes)
    {
        graph.Node.Add(Node(op, name, inputs, [$"{name}/output_0"], attributes));
        return $"{name}/output_0";
    }

    private string Ints(string name, long[] values) => writer.Constant<long>(graph, $"/constants/{name}", ElementTypes.Int64, [values.Length], values);
    private string Scalar(string name, long value) => writer.Constant<long>(graph, $"/constants/{name}", ElementTypes.Int64, [], [value]);
    private string Float(string name, float value) => writer.Constant<float>(graph, $"/constants/{name}", ElementTypes.Float, [], [value]);
}

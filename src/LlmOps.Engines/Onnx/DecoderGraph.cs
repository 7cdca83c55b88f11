using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>The nodes of a Llama decoder. Names follow ONNX Runtime GenAI's model builder, so that its tools recognise the graph.</summary>
internal static class DecoderGraph
{
    public const string Embedding = "model.embed_tokens.weight", FinalNorm = "model.norm.weight", UntiedHead = "lm_head.MatMul.weight",
        CosCache = "cos_cache", SinCache = "sin_cache", One = "/model/constants/INT64/[1]", OneScalar = "/model/constants/INT64/1",
        InputIds = "input_ids", AttentionMask = "attention_mask", Logits = "logits";

    private const string Lengths = "/model/attn_mask_reformat/seqlens_k/output_0", Total = "/model/attn_mask_reformat/total/output_0";

    public static string PastKey(int layer) => $"past_key_values.{layer}.key";
    public static string PastValue(int layer) => $"past_key_values.{layer}.value";
    public static string PresentKey(int layer) => $"present.{layer}.key";
    public static string PresentValue(int layer) => $"present.{layer}.value";

    public static void Add(GraphProto graph, ModelConfig config)
    {
        AddInterface(graph, config);
        var nodes = graph.Node;
        nodes.Add(Node("Gather", "/model/embed_tokens/Gather", [Embedding, InputIds], ["/model/embed_tokens/Gather/output_0"], Attribute("axis", 0)));
        AddLengths(graph);

        var epsilon = Attribute("epsilon", (float)config.RmsNormEps);
        var root = "/model/embed_tokens/Gather/output_0";
        string branch = "";
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            string layer = $"/model/layers.{i}", weights = $"model.layers.{i}";
            var normed = $"{layer}/input_layernorm/output_0";
            if (i == 0)
                nodes.Add(Node("SimplifiedLayerNormalization", $"{layer}/input_layernorm/LayerNorm", [root, $"{weights}.input_layernorm.weight"], [normed],
                    Attribute("axis", -1), epsilon, Attribute("stash_type", 1)));
            else
                root = SkipNorm($"{layer}/input_layernorm", root, branch, $"{weights}.input_layernorm.weight", keepSum: true);

            var qkv = MatMul($"{layer}/attn/qkv_proj", normed, $"{weights}.attn.qkv_proj.MatMul.weight");
            var attention = $"{layer}/attn/GroupQueryAttention/output_0";
            nodes.Add(Node(Contrib, "GroupQueryAttention", $"{layer}/attn/GroupQueryAttention",
                [qkv, "", "", PastKey(i), PastValue(i), Lengths, Total, CosCache, SinCache], [attention, PresentKey(i), PresentValue(i)],
                Attribute("num_heads", config.NumAttentionHeads), Attribute("kv_num_heads", config.NumKeyValueHeads),
                Attribute("scale", 1f / MathF.Sqrt(config.HeadDim)), Attribute("local_window_size", -1),
                Attribute("do_rotary", 1), Attribute("rotary_interleaved", 0)));
            branch = MatMul($"{layer}/attn/o_proj", attention, $"{weights}.attn.o_proj.MatMul.weight");
            root = SkipNorm($"{layer}/post_attention_layernorm", root, branch, $"{weights}.post_attention_layernorm.weight", keepSum: true);

            var gate = MatMul($"{layer}/mlp/gate_proj", $"{layer}/post_attention_layernorm/output_0", $"{weights}.mlp.gate_proj.MatMul.weight");
            var up = MatMul($"{layer}/mlp/up_proj", $"{layer}/post_attention_layernorm/output_0", $"{weights}.mlp.up_proj.MatMul.weight");
            nodes.Add(Node("Sigmoid", $"{layer}/mlp/act_fn/Sigmoid", [gate], [$"{layer}/mlp/act_fn/Sigmoid/output_0"]));
            nodes.Add(Node("Mul", $"{layer}/mlp/act_fn/Mul", [gate, $"{layer}/mlp/act_fn/Sigmoid/output_0"], [$"{layer}/mlp/act_fn/Mul/output_0"]));
            nodes.Add(Node("Mul", $"{layer}/mlp/Mul", [$"{layer}/mlp/act_fn/Mul/output_0", up], [$"{layer}/mlp/Mul/output_0"]));
            branch = MatMul($"{layer}/mlp/down_proj", $"{layer}/mlp/Mul/output_0", $"{weights}.mlp.down_proj.MatMul.weight");
        }
        var final = $"/model/layers.{config.NumHiddenLayers}/final_norm_layernorm";
        SkipNorm(final, root, branch, FinalNorm, keepSum: false);
        // transB reads the [vocabulary, hidden] matrix as it is: a tied head needs no second, transposed copy on disk or at load.
        nodes.Add(Node(Contrib, "FusedMatMul", "/lm_head/MatMul", [$"{final}/output_0", config.TieWordEmbeddings ? Embedding : UntiedHead], [Logits],
            Attribute("transA", 0), Attribute("transB", 1), Attribute("alpha", 1f)));

        string MatMul(string name, string input, string weight)
        {
            nodes.Add(Node("MatMul", $"{name}/MatMul", [input, weight], [$"{name}/MatMul/output_0"]));
            return $"{name}/MatMul/output_0";
        }

        // Output 0 is the norm, output 3 the sum before it: the residual stream of the next block.
        string SkipNorm(string name, string skipped, string added, string weight, bool keepSum)
        {
            nodes.Add(Node(Contrib, "SkipSimplifiedLayerNormalization", $"{name}/SkipLayerNorm", [skipped, added, weight],
                keepSum ? new[] { $"{name}/output_0", "", "", $"{name}/output_3" } : [$"{name}/output_0"], epsilon));
            return $"{name}/output_3";
        }
    }

    private static void AddInterface(GraphProto graph, ModelConfig config)
    {
        graph.Input.Add(Value(InputIds, ElementTypes.Int64, "batch_size", "sequence_length"));
        graph.Input.Add(Value(AttentionMask, ElementTypes.Int64, "batch_size", "total_sequence_length"));
        graph.Output.Add(Value(Logits, ElementTypes.Float, "batch_size", "sequence_length", config.VocabSize));
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            foreach (var name in new[] { PastKey(i), PastValue(i) })
                graph.Input.Add(Value(name, ElementTypes.Float, "batch_size", config.NumKeyValueHeads, "past_sequence_length", config.HeadDim));
            foreach (var name in new[] { PresentKey(i), PresentValue(i) })
                graph.Output.Add(Value(name, ElementTypes.Float, "batch_size", config.NumKeyValueHeads, "total_sequence_length", config.HeadDim));
        }
    }

    // GroupQueryAttention wants each row's last position and the longest length, both int32; the mask carries both.
    private static void AddLengths(GraphProto graph)
    {
        const string mask = "/model/attn_mask_reformat";
        graph.Node.Add(Node("ReduceSum", $"{mask}/ReduceSum", [AttentionMask, One], [$"{mask}/ReduceSum/output_0"], Attribute("keepdims", 0)));
        graph.Node.Add(Node("Sub", $"{mask}/Sub", [$"{mask}/ReduceSum/output_0", One], [$"{mask}/Sub/output_0"]));
        graph.Node.Add(Node("Cast", $"{mask}/seqlens_k/Cast", [$"{mask}/Sub/output_0"], [Lengths], Attribute("to", ElementTypes.Int32)));
        graph.Node.Add(Node("Shape", $"{mask}/Shape", [AttentionMask], [$"{mask}/Shape/output_0"]));
        graph.Node.Add(Node("Gather", $"{mask}/Gather", [$"{mask}/Shape/output_0", OneScalar], [$"{mask}/Gather/output_0"], Attribute("axis", 0)));
        graph.Node.Add(Node("Cast", $"{mask}/total/Cast", [$"{mask}/Gather/output_0"], [Total], Attribute("to", ElementTypes.Int32)));
    }
}

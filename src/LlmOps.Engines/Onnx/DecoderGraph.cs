using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>A place in the network where exported graph and reference can be compared.</summary>
/// <param name="Label">What has been computed, for example <c>layer 3 attention</c>.</param>
/// <param name="Tensor">Name in the graph: the residual stream <c>[batch, sequence, hidden]</c>.</param>
internal sealed record Tap(string Label, string Tensor);

/// <summary>The network of a decoder, described once for every family and both forms. Names follow ONNX Runtime GenAI's model builder.</summary>
internal static class DecoderGraph
{
    public const string Embedding = "model.embed_tokens.weight", PositionTable = "model.embed_positions.weight", FinalNorm = "model.norm.weight", UntiedHead = "lm_head.MatMul.weight",
        InputIds = "input_ids", AttentionMask = "attention_mask", PositionIds = "position_ids", Logits = "logits";

    public static string PastKey(int layer) => $"past_key_values.{layer}.key";
    public static string PastValue(int layer) => $"past_key_values.{layer}.value";
    public static string PresentKey(int layer) => $"present.{layer}.key";
    public static string PresentValue(int layer) => $"present.{layer}.value";

    /// <summary>Adds inputs, nodes and outputs; the weights are expected under the names that <see cref="DecoderWeights"/> gives them.</summary>
    /// <returns>Where the residual stream can be read.</returns>
    public static IReadOnlyList<Tap> Add(GraphProto graph, ModelConfig config, GraphForm form)
    {
        var emit = GraphEmitter.Of(form, graph, config);
        AddInterface(graph, config);
        emit.Begin();
        var family = config.Family;
        var root = Embed(emit, config);
        var taps = new List<Tap> { new("embedding", root) };
        var branch = "";
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            string layer = $"/model/layers.{i}", weights = $"model.layers.{i}";
            string normed;
            if (i == 0)
                normed = emit.Norm($"{layer}/input_layernorm", root, $"{weights}.input_layernorm");
            else
            {
                (normed, root) = emit.AddNorm($"{layer}/input_layernorm", root, branch, $"{weights}.input_layernorm");
                taps.Add(new($"layer {i - 1} MLP", root));
            }
            var qkv = emit.MatMul($"{layer}/attn/qkv_proj", normed, $"{weights}.attn.qkv_proj", config.QueryKeyValueBias);
            branch = emit.MatMul($"{layer}/attn/o_proj", emit.Attention(i, qkv), $"{weights}.attn.o_proj", config.OutputBias);
            if (family.NormAfterBlock)
                branch = emit.Norm($"{layer}/post_attention_layernorm", branch, $"{weights}.post_attention_layernorm");
            var mlpNorm = family.NormAfterBlock ? "pre_feedforward_layernorm" : "post_attention_layernorm";
            (normed, root) = emit.AddNorm($"{layer}/{mlpNorm}", root, branch, $"{weights}.{mlpNorm}");
            taps.Add(new($"layer {i} attention", root));
            branch = Mlp(emit, config, layer, weights, normed);
            if (family.NormAfterBlock)
                branch = emit.Norm($"{layer}/post_feedforward_layernorm", branch, $"{weights}.post_feedforward_layernorm");
        }
        var (final, last) = emit.AddNorm($"/model/layers.{config.NumHiddenLayers}/final_norm_layernorm", root, branch, "model.norm", keepSum: false);
        taps.Add(new($"layer {config.NumHiddenLayers - 1} MLP", last));
        var capped = config.FinalLogitSoftcapping is not null;
        emit.Head(final, config.TieWordEmbeddings ? Embedding : UntiedHead, capped ? "/lm_head/output_0" : Logits);
        if (capped)
            graph.Node.Add(Node("Identity", "/lm_head/Identity", [emit.Softcap("/lm_head/softcap", "/lm_head/output_0", config.FinalLogitSoftcapping!.Value)], [Logits]));
        return taps;
    }

    /// <summary>The same places, for a graph that was written before.</summary>
    public static IReadOnlyList<Tap> Taps(ModelConfig config, GraphForm form) => Add(new GraphProto(), config, form);

    private static string Embed(GraphEmitter emit, ModelConfig config)
    {
        var embedded = emit.Add("Gather", "/model/embed_tokens/Gather", [Embedding, InputIds], Attribute("axis", 0));
        if (config.Family.ScaledEmbedding)
            embedded = emit.Add("Mul", "/model/embed_tokens/Mul", [embedded, emit.Constant("/model/embed_tokens/scale", (float)Math.Sqrt(config.HiddenSize))]);
        if (config.Family.LearnedPositions)
            embedded = emit.Add("Add", "/model/embed_positions/Add", [embedded, emit.Add("Gather", "/model/embed_positions/Gather", [PositionTable, emit.Positions()], Attribute("axis", 0))]);
        return embedded;
    }

    private static string Mlp(GraphEmitter emit, ModelConfig config, string layer, string weights, string input)
    {
        var up = emit.MatMul($"{layer}/mlp/up_proj", input, $"{weights}.mlp.up_proj", config.MlpBias);
        var inner = config.Family.GatedMlp
            ? emit.Add("Mul", $"{layer}/mlp/Mul", [emit.Activation($"{layer}/mlp/act_fn", emit.MatMul($"{layer}/mlp/gate_proj", input, $"{weights}.mlp.gate_proj", config.MlpBias)), up])
            : emit.Activation($"{layer}/mlp/act_fn", up);
        return emit.MatMul($"{layer}/mlp/down_proj", inner, $"{weights}.mlp.down_proj", config.MlpBias);
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
}

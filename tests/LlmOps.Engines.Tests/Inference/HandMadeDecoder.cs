using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using LlmOps.TestKit;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Tests.Inference;

/// <summary>
/// One layer of attention over token and position embeddings, in forms that other tools export: standard Attention with position_ids, whose cache
/// is written anew at each step, or GroupQueryAttention, which appends in place; with keys, values and logits of any of the three float types.
/// </summary>
public sealed record HandMadeDecoder(bool Standard, int Type = ElementTypes.Float, bool LastLogitsOnly = false, int Seed = 3, string? ExtraInput = null)
{
    private const int Hidden = 32, Width = 16;

    public void Write(string folder, string fileName = OnnxModel.FileName)
    {
        Directory.CreateDirectory(folder);
        var config = TinyModels.Config() with { HiddenSize = Hidden, NumHiddenLayers = 1, NumAttentionHeads = 2, NumKeyValueHeads = 1, HeadDim = Width };
        config.Write(folder);
        TinyModels.Tokenizer().Save(folder);
        var graph = new GraphProto { Name = "hand-made" };
        var random = new Random(Seed);
        foreach (var (name, rows, columns, scale) in new[]
        {
            ("embedding", config.VocabSize, Hidden, 1.0), ("positions", config.MaxPositionEmbeddings, Hidden, 0.5), ("q", Hidden, 2 * Width, 0.4), ("k", Hidden, Width, 0.4),
            ("v", Hidden, Width, 0.4), ("o", 2 * Width, Hidden, 0.4), ("head", Hidden, config.VocabSize, 0.3),
        })
            graph.Initializer.Add(new TensorProto
            {
                Name = name, DataType = ElementTypes.Float, Dims = { rows, columns },
                FloatData = { Enumerable.Range(0, rows * columns).Select(_ => (float)(scale * (random.NextDouble() * 2 - 1))) },
            });
        foreach (var (name, dims, value) in new[] { ("one", new long[] { 1 }, 1L), ("index", [], 1L), ("last", [1], -1L), ("end", [1], long.MaxValue) })
            graph.Initializer.Add(new TensorProto { Name = name, DataType = ElementTypes.Int64, Dims = { dims }, Int64Data = { value } });
        AddInterface(graph, config);
        AddNodes(graph);
        var model = new ModelProto { IrVersion = 11, Graph = graph, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 23 }, new OperatorSetIdProto { Domain = Contrib, Version = 1 } } };
        using var file = File.Create(Path.Combine(folder, fileName));
        Google.Protobuf.MessageExtensions.WriteTo(model, file);
    }

    private void AddInterface(GraphProto graph, ModelConfig config)
    {
        graph.Input.Add(Value("input_ids", ElementTypes.Int64, "batch", "sequence"));
        graph.Input.Add(Value("attention_mask", ElementTypes.Int64, "batch", "total"));
        graph.Input.Add(Value("position_ids", ElementTypes.Int64, "batch", "sequence"));
        if (ExtraInput is not null)
            graph.Input.Add(Value(ExtraInput, ElementTypes.Int64, "batch", "sequence"));
        graph.Output.Add(LastLogitsOnly ? Value("logits", Type, "batch", 1, config.VocabSize) : Value("logits", Type, "batch", "sequence", config.VocabSize));
        foreach (var part in new[] { "key", "value" })
        {
            graph.Input.Add(Value($"past_key_values.0.{part}", Type, "batch", 1, "past", Width));
            graph.Output.Add(Value($"present.0.{part}", Type, "batch", 1, "present", Width));
        }
    }

    private void AddNodes(GraphProto graph)
    {
        graph.Node.Add(Node("Gather", "tokens", ["embedding", "input_ids"], ["token"]));
        graph.Node.Add(Node("Gather", "places", ["positions", "position_ids"], ["place"]));
        graph.Node.Add(Node("Add", "sum", ["token", "place"], ["x"]));
        foreach (var part in new[] { "q", "k", "v" })
        {
            graph.Node.Add(Node("MatMul", $"{part}_proj", ["x", part], [$"{part}32"]));
            graph.Node.Add(Node("Cast", $"{part}_cast", [$"{part}32"], [$"{part}_type"], Attribute("to", Standard ? ElementTypes.Float : Type)));
        }
        if (Standard)
        {
            foreach (var part in new[] { "key", "value" })
            {
                graph.Node.Add(Node("Cast", $"past_{part}", [$"past_key_values.0.{part}"], [$"past_{part}32"], Attribute("to", ElementTypes.Float)));
                graph.Node.Add(Node("Cast", $"present_{part}", [$"present_{part}32"], [$"present.0.{part}"], Attribute("to", Type)));
            }
            graph.Node.Add(Node("Attention", "attention", ["q_type", "k_type", "v_type", "", "past_key32", "past_value32"], ["y_type", "present_key32", "present_value32"],
                Attribute("is_causal", 1), Attribute("q_num_heads", 2), Attribute("kv_num_heads", 1)));
        }
        else
        {
            graph.Node.Add(Node("ReduceSum", "count", ["attention_mask", "one"], ["counted"], Attribute("keepdims", 0)));
            graph.Node.Add(Node("Sub", "less", ["counted", "one"], ["lengths64"]));
            graph.Node.Add(Node("Cast", "lengths", ["lengths64"], ["lengths32"], Attribute("to", ElementTypes.Int32)));
            graph.Node.Add(Node("Shape", "shape", ["attention_mask"], ["shaped"]));
            graph.Node.Add(Node("Gather", "total", ["shaped", "index"], ["total64"]));
            graph.Node.Add(Node("Cast", "total32", ["total64"], ["total_32"], Attribute("to", ElementTypes.Int32)));
            graph.Node.Add(Node(Contrib, "GroupQueryAttention", "attention", ["q_type", "k_type", "v_type", "past_key_values.0.key", "past_key_values.0.value", "lengths32", "total_32"],
                ["y_type", "present.0.key", "present.0.value"], Attribute("num_heads", 2), Attribute("kv_num_heads", 1)));
        }
        graph.Node.Add(Node("Cast", "y_cast", ["y_type"], ["y"], Attribute("to", ElementTypes.Float)));
        graph.Node.Add(Node("MatMul", "o_proj", ["y", "o"], ["projected"]));
        graph.Node.Add(Node("Add", "residual", ["x", "projected"], ["all"]));
        if (LastLogitsOnly)
            graph.Node.Add(Node("Slice", "prune", ["all", "last", "end", "one"], ["hidden"]));
        graph.Node.Add(Node("MatMul", "head_proj", [LastLogitsOnly ? "hidden" : "all", "head"], ["logits32"]));
        graph.Node.Add(Node("Cast", "logits_cast", ["logits32"], ["logits"], Attribute("to", Type)));
    }
}

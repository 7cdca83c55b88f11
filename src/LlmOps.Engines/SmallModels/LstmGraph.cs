using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// Inputs: <c>input_ids [batch, sequence]</c> (int64) and the state before the first token, <c>past_hidden</c> and <c>past_cell</c>, both
/// [layers, batch, hidden] and zero at the start of a text. Outputs: <c>logits [batch, sequence, vocabulary]</c> and the state after the last token,
/// <c>present_hidden</c> and <c>present_cell</c>.
/// </summary>
internal static class LstmGraph
{
    public const string Ids = "input_ids", Hidden = "past_hidden", Cell = "past_cell", Logits = "logits", NewHidden = "present_hidden", NewCell = "present_cell";

    public static void Add(GraphProto graph, OnnxWriter writer, LstmConfig config, SafetensorsFile weights)
    {
        var layers = new ImageGraph(graph, writer, weights);
        graph.Input.Add(Value(Ids, ElementTypes.Int64, "batch", "sequence"));
        foreach (var name in new[] { Hidden, Cell })
            graph.Input.Add(Value(name, ElementTypes.Float, config.Layers, "batch", config.HiddenSize));
        var table = writer.Constant<float>(graph, "embedding.weight", ElementTypes.Float, [config.VocabSize, config.EmbeddingSize], weights.ReadFloat32("embedding.weight"));
        // The operator runs along the first axis.
        var x = layers.Add("Transpose", "time_first", [layers.Add("Gather", "embedding", [table, Ids])], Attribute("perm", [1, 0, 2]));
        var (hidden, cell) = (new string[config.Layers], new string[config.Layers]);
        for (var i = 0; i < config.Layers; i++)
        {
            var own = writer.Constant<long>(graph, $"/constants/layer_{i}", ElementTypes.Int64, [1], [i]);
            (x, hidden[i], cell[i]) = Layer(graph, layers, writer, config, weights, i, x,
                layers.Add("Gather", $"lstm.{i}/hidden", [Hidden, own], Attribute("axis", 0)), layers.Add("Gather", $"lstm.{i}/cell", [Cell, own], Attribute("axis", 0)));
        }
        var head = Transposed(weights.ReadFloat32(config.TieEmbeddings ? "embedding.weight" : "head.weight"), config.VocabSize, config.HiddenSize);
        var scores = layers.Add("MatMul", "head", [layers.Add("Transpose", "batch_first", [x], Attribute("perm", [1, 0, 2])),
            writer.Constant<float>(graph, "head.weight.transposed", ElementTypes.Float, [config.HiddenSize, config.VocabSize], head)]);
        layers.Output(layers.Add("Add", "head", [scores, layers.Table("head.bias", weights.ReadFloat32("head.bias"), config.VocabSize)]), Logits, "batch", "sequence", config.VocabSize);
        layers.Output(Joined(layers, "hidden", hidden), NewHidden, config.Layers, "batch", config.HiddenSize);
        layers.Output(Joined(layers, "cell", cell), NewCell, config.Layers, "batch", config.HiddenSize);
    }

    private static (string Out, string Hidden, string Cell) Layer(GraphProto graph, ImageGraph layers, OnnxWriter writer, LstmConfig config, SafetensorsFile weights, int i, string x, string hidden, string cell)
    {
        int h = config.HiddenSize, inputs = i == 0 ? config.EmbeddingSize : h;
        string Gates(string tensor, int width) => writer.Constant<float>(graph, $"lstm.{i}.{tensor}.onnx", ElementTypes.Float, [1, 4 * h, width], Reordered(weights.ReadFloat32($"lstm.{i}.{tensor}"), h * width));
        // ONNX has a bias for the input's product and one for the state's; torch's sum goes into the first.
        var bias = writer.Constant<float>(graph, $"lstm.{i}.bias.onnx", ElementTypes.Float, [1, 8 * h], [.. Reordered(weights.ReadFloat32($"lstm.{i}.bias"), h), .. new float[4 * h]]);
        string[] outputs = [$"/lstm.{i}/all", $"/lstm.{i}/last_hidden", $"/lstm.{i}/last_cell"];
        graph.Node.Add(Node("LSTM", $"/lstm.{i}/LSTM", [x, Gates("weight_ih", inputs), Gates("weight_hh", h), bias, "", hidden, cell], outputs, Attribute("hidden_size", h)));
        // [sequence, directions, batch, hidden]: there is one direction.
        var squeezed = layers.Add("Squeeze", $"lstm.{i}", [outputs[0], writer.Constant<long>(graph, "/constants/direction_axis", ElementTypes.Int64, [1], [1])]);
        return (squeezed, outputs[1], outputs[2]);
    }

    private static string Joined(ImageGraph layers, string name, string[] parts) => parts.Length == 1 ? parts[0] : layers.Add("Concat", name, parts, Attribute("axis", 0));

    /// <summary>From torch's input, forget, cell, output to ONNX's input, output, forget, cell.</summary>
    private static float[] Reordered(float[] gates, int size)
    {
        var all = new float[gates.Length];
        int[] from = [0, 3, 1, 2];
        for (var gate = 0; gate < 4; gate++)
            gates.AsSpan(from[gate] * size, size).CopyTo(all.AsSpan(gate * size));
        return all;
    }

    private static float[] Transposed(float[] values, int rows, int columns)
    {
        var turned = new float[values.Length];
        Matrix.Transpose<float>(values, rows, columns, turned, rows);
        return turned;
    }
}

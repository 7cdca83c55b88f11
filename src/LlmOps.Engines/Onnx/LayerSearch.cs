using System.Text.Json.Serialization;
using Google.Protobuf;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx.Wire;
using LlmOps.Engines.Reference;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Onnx;

/// <summary>How far the residual stream of a graph is from the reference's at one place.</summary>
/// <param name="After">What has been computed: <c>embedding</c>, <c>layer 3 attention</c>, <c>layer 3 MLP</c>.</param>
/// <param name="RelativeL2">Norm of the difference over the norm of the reference.</param>
[JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)]
public sealed record LayerDifference(string After, double RelativeL2);

/// <summary>Finds where an exported graph leaves the reference: the residual stream after every block is compared on the same tokens.</summary>
public static class LayerSearch
{
    /// <summary>Compares all places that the graph still has; a graph that was optimised offline may have lost some names.</summary>
    /// <param name="hfFolder">The checkpoint.</param>
    /// <param name="onnxFolder">The graph that was made of it, quantized or not.</param>
    /// <param name="tokens">What both compute.</param>
    /// <returns>In the order of computation; empty when the graph has none of the places.</returns>
    /// <exception cref="InvalidModelException">A folder does not open, or the graph does not run.</exception>
    public static IReadOnlyList<LayerDifference> Run(string hfFolder, string onnxFolder, int[] tokens)
    {
        using var reference = ReferenceDecoder.Load(hfFolder);
        using var model = OnnxModel.Load(onnxFolder);
        var graph = model.Proto.Graph;
        var taps = DecoderGraph.Taps(reference.Config, FormOf(model.Proto)).Where(tap => Expose(graph, tap.Tensor)).ToList();
        if (taps.Count == 0)
            return [];
        foreach (var tap in taps)
            graph.Output.Add(Nodes.Value(tap.Tensor, ElementTypes.Float, "batch_size", "sequence_length", reference.Config.HiddenSize));
        var expected = new Dictionary<string, float[]>();
        reference.Forward(tokens, (label, stream) => expected[label] = [.. stream]);

        using var options = OnnxSession.Options(new SessionSettings());
        options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", Path.GetFullPath(onnxFolder));
        using var session = OnnxSession.Translate(() => new InferenceSession(model.Proto.ToByteArray(), options));
        return Compare(session, reference.Config, tokens, taps, expected);
    }

    internal static GraphForm FormOf(ModelProto model) =>
        model.MetadataProps.FirstOrDefault(p => p.Key == DecoderExport.FormKey) is { } form && Enum.TryParse<GraphForm>(form.Value, out var known) ? known : GraphForm.Contrib;

    // The last sum is not among the outputs of its node, because nothing reads it: it is added.
    private static bool Expose(GraphProto graph, string tensor)
    {
        if (graph.Node.Any(node => node.Output.Contains(tensor)))
            return true;
        var norm = tensor.Replace("/output_3", "/output_0", StringComparison.Ordinal);
        if (norm == tensor || graph.Node.FirstOrDefault(node => node.OpType.StartsWith("Skip", StringComparison.Ordinal) && node.Output.Count == 1 && node.Output[0] == norm) is not { } last)
            return false;
        last.Output.Add(["", "", tensor]);
        return true;
    }

    private static List<LayerDifference> Compare(InferenceSession session, ModelConfig config, int[] tokens, List<Tap> taps, Dictionary<string, float[]> expected)
    {
        var inputs = new Dictionary<string, OrtValue>();
        try
        {
            long[] shape = [1, tokens.Length];
            inputs[DecoderGraph.InputIds] = OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(tokens, t => (long)t), shape);
            inputs[DecoderGraph.AttentionMask] = OrtValue.CreateTensorValueFromMemory(Enumerable.Repeat(1L, tokens.Length).ToArray(), shape);
            if (session.InputMetadata.ContainsKey(DecoderGraph.PositionIds))
                inputs[DecoderGraph.PositionIds] = OrtValue.CreateTensorValueFromMemory(Enumerable.Range(0, tokens.Length).Select(i => (long)i).ToArray(), shape);
            for (var i = 0; i < config.NumHiddenLayers; i++)
                foreach (var name in new[] { DecoderGraph.PastKey(i), DecoderGraph.PastValue(i) })
                    inputs[name] = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, (TensorElementType)session.InputMetadata[name].ElementDataType, [1, config.NumKeyValueHeads, 0, config.HeadDim]);
            using var run = new RunOptions();
            using var outputs = OnnxSession.Translate(() => session.Run(run, inputs, [.. taps.Select(tap => tap.Tensor)]));
            return [.. taps.Zip(outputs, (tap, value) => new LayerDifference(tap.Label, RelativeL2(expected[tap.Label], value.GetTensorDataAsSpan<float>())))];
        }
        finally
        {
            foreach (var value in inputs.Values)
                value.Dispose();
        }
    }

    private static double RelativeL2(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        double difference = 0, norm = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)expected[i] - actual[i], 2);
            norm += (double)expected[i] * expected[i];
        }
        return difference == 0 ? 0 : Math.Sqrt(difference / norm);
    }
}

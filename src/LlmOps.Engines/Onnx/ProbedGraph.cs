using Google.Protobuf;
using LlmOps.Engines.Inference;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Onnx;

/// <summary>Opens a graph with inner tensors as additional outputs, to see where a model goes wrong. Nothing is written to disk.</summary>
internal static class ProbedGraph
{
    public static InferenceSession Open(string folder, IReadOnlyList<string> tensors)
    {
        using var model = OnnxModel.Load(folder);
        var known = model.Proto.Graph.Node.SelectMany(n => n.Output).ToHashSet();
        foreach (var tensor in tensors)
        {
            if (!known.Contains(tensor))
                throw new InvalidModelException($"The graph has no tensor '{tensor}'.");
            model.Proto.Graph.Output.Add(new Wire.ValueInfoProto { Name = tensor, Type = new() { TensorType = new() { ElemType = ElementTypes.Float } } });
        }
        using var options = OnnxSession.Options(new SessionSettings());
        // Without it, a graph that comes as bytes would look for its weights in the working directory.
        options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", Path.GetFullPath(folder));
        return OnnxSession.Translate(() => new InferenceSession(model.Proto.ToByteArray(), options));
    }
}

using Google.Protobuf;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// A graph with inner values as additional outputs, so that their types can be asked for and their values seen. A value is shown and
/// dropped; nothing of a sample is kept.
/// </summary>
internal sealed class ActivationScan : IDisposable
{
    private readonly InferenceSession session;

    /// <param name="model">The graph as it is now in memory; weights come from its files.</param>
    /// <param name="names">Values to see, or null for all that nodes of the outermost graph make.</param>
    public ActivationScan(OnnxModel model, IEnumerable<string>? names = null)
    {
        var graph = model.Proto.Graph;
        var known = graph.Output.Select(o => o.Name).Concat(graph.Input.Select(i => i.Name)).ToHashSet();
        var extra = (names ?? graph.Node.SelectMany(n => n.Output)).Where(n => n.Length > 0 && !known.Contains(n)).Distinct().ToList();
        var proto = model.Proto.Clone(); // weights are shared, not copied
        proto.Graph.Output.AddRange(extra.Select(name => new ValueInfoProto { Name = name }));
        using var options = OnnxSession.Options(new SessionSettings(OptimizationLevel: names is null ? "None" : "Basic"));
        options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", model.Folder);
        session = OnnxSession.Translate(() => new InferenceSession(proto.ToByteArray(), options), model.Label);
    }

    /// <summary>ONNX element type of an input or of a value that is seen; 0 when it is no tensor.</summary>
    public int Type(string name) =>
        (session.OutputMetadata.TryGetValue(name, out var found) || session.InputMetadata.TryGetValue(name, out found)) && found.IsTensor ? (int)found.ElementDataType : 0;

    /// <summary>Runs every sample and shows the values of 32-bit floats.</summary>
    public void Run(IEnumerable<IReadOnlyList<NamedTensor>> samples, IReadOnlyCollection<string> names, ActivationSeen see, CancellationToken ct)
    {
        var outputs = names.Where(session.OutputMetadata.ContainsKey).ToList();
        var inputs = names.Where(n => !session.OutputMetadata.ContainsKey(n)).ToHashSet();
        var count = 0;
        foreach (var sample in samples)
        {
            ct.ThrowIfCancellationRequested();
            count++;
            foreach (var tensor in sample.Where(t => inputs.Contains(t.Name) && t.Type == ElementTypes.Float))
                see(tensor.Name, tensor.Values<float>(), tensor.Shape);
            var values = sample.Select(t => t.ToOrt()).ToList();
            try
            {
                using var options = new RunOptions();
                using var found = OnnxSession.Translate(() => session.Run(options, [.. sample.Select(t => t.Name)], values, outputs.Count > 0 ? outputs : [session.OutputNames[0]]));
                foreach (var (i, name) in outputs.Index())
                    if (found[i].GetTensorTypeAndShape() is { ElementDataType: TensorElementType.Float, ElementCount: > 0 } shape)
                        see(name, found[i].GetTensorDataAsSpan<float>(), shape.Shape);
            }
            finally
            {
                foreach (var value in values)
                    value.Dispose();
            }
        }
        if (count == 0)
            throw new ArgumentException("The calibration data has no samples.");
    }

    public void Dispose() => session.Dispose();
}

/// <summary>Sees the values of one tensor for one sample.</summary>
internal delegate void ActivationSeen(string name, ReadOnlySpan<float> values, IReadOnlyList<long> shape);

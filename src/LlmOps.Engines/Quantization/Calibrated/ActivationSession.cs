using Google.Protobuf;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using Microsoft.ML.OnnxRuntime;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Runs token sequences through a decoder and sums up the activations that chosen products read. The sums are nodes of the graph itself, so
/// that ONNX Runtime computes them at its own speed and no activation leaves it.
/// </summary>
internal sealed class ActivationSession : IDisposable
{
    private const int OldestOpset = 18; // reductions take their axes as an input since then
    private const string Axes = "/llmops/calibration/axes";
    private readonly InferenceSession session;
    private readonly IReadOnlyList<(string Name, int Width)> tensors;
    private readonly bool gram;
    private readonly ModelConfig config;

    /// <param name="model">The source graph; copied, not changed.</param>
    /// <param name="tensors">Activations and their width, [batch, sequence, width].</param>
    /// <param name="gram">Also sum up XᵀX, which costs width² floats for each tensor.</param>
    /// <exception cref="UnsupportedModelException">The graph's opset is too old, or it has an input that is none of a decoder's.</exception>
    public ActivationSession(OnnxModel model, IReadOnlyList<(string Name, int Width)> tensors, bool gram)
    {
        (this.tensors, this.gram) = (tensors, gram);
        config = ModelConfig.Read(model.Folder);
        var opset = model.Proto.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx")?.Version ?? 0;
        if (opset < OldestOpset)
            throw new UnsupportedModelException($"The graph has opset {opset}; activations are measured from opset {OldestOpset} on.");
        var probed = model.Proto.Clone();
        Add(probed);
        using var options = OnnxSession.Options(new SessionSettings(MemoryArena: false)); // large results, few runs: what the arena would keep is not used again
        options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", Path.GetFullPath(model.Folder));
        session = OnnxSession.Translate(() => new InferenceSession(probed.ToByteArray(), options));
    }

    private void Add(ModelProto probed)
    {
        var graph = probed.Graph;
        graph.Output.Clear(); // ONNX Runtime then drops what only the logits needed
        graph.Initializer.Add(Constant(Axes, 0));
        foreach (var (name, width) in tensors)
        {
            string rows = $"{name}/rows", shape = $"{name}/rows_shape", abs = $"{name}/abs";
            graph.Initializer.Add(Constant(shape, -1, width));
            graph.Node.Add(Node("Reshape", rows, [name, shape], [rows]));
            graph.Node.Add(Node("Abs", abs, [rows], [abs]));
            graph.Node.Add(Node("ReduceSum", $"{name}/sum_abs", [abs, Axes], [$"{name}/sum_abs"], Attribute("keepdims", 0)));
            graph.Node.Add(Node("ReduceMax", $"{name}/max_abs", [abs, Axes], [$"{name}/max_abs"], Attribute("keepdims", 0)));
            graph.Node.Add(Node("ReduceSumSquare", $"{name}/sum_square", [rows, Axes], [$"{name}/sum_square"], Attribute("keepdims", 0)));
            if (gram)
                graph.Node.Add(Node(Contrib, "FusedMatMul", $"{name}/gram", [rows, rows], [$"{name}/gram"], Attribute("transA", 1), Attribute("transB", 0), Attribute("alpha", 1f)));
            foreach (var output in Outputs(name))
                graph.Output.Add(Value(output, ElementTypes.Float, Enumerable.Repeat<object>(width, output.EndsWith("/gram", StringComparison.Ordinal) ? 2 : 1).ToArray()));
        }
        if (probed.OpsetImport.All(o => o.Domain != Contrib))
            probed.OpsetImport.Add(new OperatorSetIdProto { Domain = Contrib, Version = 1 });

        static TensorProto Constant(string name, params long[] values) => new()
        {
            Name = name, DataType = ElementTypes.Int64, Dims = { values.Length }, RawData = ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<long>(values)),
        };
    }

    private string[] Outputs(string name) => gram ? [$"{name}/sum_abs", $"{name}/sum_square", $"{name}/max_abs", $"{name}/gram"] : [$"{name}/sum_abs", $"{name}/sum_square", $"{name}/max_abs"];

    /// <summary>Sums over all sequences, one forward pass each: padding never counts.</summary>
    /// <exception cref="ArgumentException">A sequence is longer than the context or has a token outside of the vocabulary.</exception>
    /// <exception cref="InvalidModelException">The graph does not run, or an activation is not finite.</exception>
    public Dictionary<string, ChannelStatistics> Run(IReadOnlyList<int[]> sequences, CancellationToken ct)
    {
        var result = tensors.ToDictionary(t => t.Name, t => new ChannelStatistics(t.Name, t.Width));
        var names = tensors.SelectMany(t => Outputs(t.Name)).ToList();
        foreach (var (i, sequence) in sequences.Index())
        {
            if (sequence.Length > config.MaxPositionEmbeddings)
                throw new ArgumentException($"Calibration sequence {i} has {sequence.Length} tokens; the model's context holds {config.MaxPositionEmbeddings}.");
            if (Array.Find(sequence, t => (uint)t >= (uint)config.VocabSize) is var token && (uint)token >= (uint)config.VocabSize)
                throw new ArgumentException($"Calibration sequence {i} has token {token}; the vocabulary has {config.VocabSize}.");
            ct.ThrowIfCancellationRequested();
            using var inputs = new DecoderInputs(session, sequence);
            using var options = new RunOptions();
            using var outputs = OnnxSession.Translate(() => session.Run(options, inputs.Values, names));
            var per = names.Count / tensors.Count;
            foreach (var (t, (name, _)) in tensors.Index())
                result[name].Add(sequence.Length, outputs[t * per].GetTensorDataAsSpan<float>(), outputs[t * per + 1].GetTensorDataAsSpan<float>(), outputs[t * per + 2].GetTensorDataAsSpan<float>(),
                    gram ? outputs[t * per + 3].GetTensorDataAsSpan<float>() : default);
        }
        return result;
    }

    public void Dispose() => session.Dispose();
}

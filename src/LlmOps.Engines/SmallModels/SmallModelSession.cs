using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.SmallModels;

/// <summary>Computes a small model's outputs from its inputs: the checkpoint in the training framework, or a graph in ONNX Runtime.</summary>
public delegate IReadOnlyList<NamedTensor> SmallModelRun(IReadOnlyList<NamedTensor> inputs);

/// <summary>An exported small model in ONNX Runtime, whatever it was quantized to.</summary>
public sealed class SmallModelSession : IDisposable
{
    private readonly GraphSession session;

    private SmallModelSession(GraphSession session, SmallModelConfig config) => (this.session, Config) = (session, config);

    /// <summary>Sizes and labels.</summary>
    public SmallModelConfig Config { get; }

    /// <summary>Opens the ONNX folder of a small model.</summary>
    /// <exception cref="InvalidModelException">The folder is none, or ONNX Runtime cannot use the graph.</exception>
    public static SmallModelSession Open(string folder, SessionSettings? settings = null)
    {
        var config = SmallModelConfig.TryRead(folder) ?? throw new InvalidModelException("config.json names no small model.");
        return new(GraphSession.Open(folder, settings), config);
    }

    /// <summary>Runs the graph; inputs take the floating-point type that the graph declares, outputs come as 32-bit floats.</summary>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the inputs.</exception>
    public IReadOnlyList<NamedTensor> Run(IReadOnlyList<NamedTensor> inputs) => [.. session.Run(session.Fit(inputs)).Select(o => o.As(ElementTypes.Float))];

    /// <inheritdoc/>
    public void Dispose() => session.Dispose();
}

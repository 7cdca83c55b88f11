using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>A session together with the configuration that it was checked against.</summary>
internal sealed class DecoderSession : IDisposable
{
    private DecoderSession(InferenceSession session, ModelConfig config) => (Session, Config) = (session, config);

    public InferenceSession Session { get; }
    public ModelConfig Config { get; }

    public static DecoderSession Open(string folder, SessionSettings? settings)
    {
        var config = ModelConfig.Read(folder);
        var session = OnnxSession.Open(folder, settings ?? new());
        try
        {
            Check(session, config);
            return new(session, config);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private static void Check(InferenceSession session, ModelConfig config)
    {
        Require(session.InputMetadata, DecoderGraph.InputIds, TensorElementType.Int64, "input");
        Require(session.InputMetadata, DecoderGraph.AttentionMask, TensorElementType.Int64, "input");
        var logits = Require(session.OutputMetadata, DecoderGraph.Logits, TensorElementType.Float, "output");
        if (logits.Dimensions[^1] is > 0 and var width && width != config.VocabSize)
            throw new InvalidModelException($"Output 'logits' is {width} wide, but config.json says vocab_size {config.VocabSize}.");
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            foreach (var name in new[] { DecoderGraph.PastKey(i), DecoderGraph.PastValue(i) })
            {
                var past = Require(session.InputMetadata, name, TensorElementType.Float, "input");
                if (past.Dimensions is not [_, var heads, _, var width2] || heads != config.NumKeyValueHeads || width2 != config.HeadDim)
                    throw new InvalidModelException($"Input '{name}' is [{string.Join(", ", past.Dimensions)}]; config.json asks for {config.NumKeyValueHeads} heads of {config.HeadDim}.");
            }
            Require(session.OutputMetadata, DecoderGraph.PresentKey(i), TensorElementType.Float, "output");
            Require(session.OutputMetadata, DecoderGraph.PresentValue(i), TensorElementType.Float, "output");
        }
        if (session.InputMetadata.ContainsKey(DecoderGraph.PastKey(config.NumHiddenLayers)))
            throw new InvalidModelException($"The graph has more layers than the {config.NumHiddenLayers} of config.json.");
    }

    private static NodeMetadata Require(IReadOnlyDictionary<string, NodeMetadata> side, string name, TensorElementType type, string kind) =>
        !side.TryGetValue(name, out var found) ? throw new InvalidModelException($"The graph has no {kind} '{name}': it is not a decoder with a key/value cache.")
        : found.ElementDataType != type ? throw new UnsupportedModelException($"The {kind} '{name}' is {found.ElementDataType}; {type} is needed.")
        : found;

    public void EnsureTokens(ReadOnlySpan<int> tokens)
    {
        foreach (var token in tokens)
            if ((uint)token >= (uint)Config.VocabSize)
                throw new ArgumentException($"Token {token} is outside of the vocabulary of {Config.VocabSize}.");
    }

    public void Dispose() => Session.Dispose();
}

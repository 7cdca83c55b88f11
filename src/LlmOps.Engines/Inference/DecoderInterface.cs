using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>What a decoder graph wants and gives, read from the graph itself: the two forms that are exported here differ in it, and other tools' graphs do too.</summary>
/// <param name="Layers">Number of key/value pairs.</param>
/// <param name="Heads">Key/value heads.</param>
/// <param name="Width">Width of a head.</param>
/// <param name="Cache">Element type of keys and values: 32-bit, 16-bit or bfloat16.</param>
/// <param name="Logits">Element type of the logits, one of the same three.</param>
/// <param name="HasPositions">Whether there is an input <c>position_ids</c>.</param>
/// <param name="LastLogitsOnly">Whether logits come for the last position only.</param>
/// <param name="AppendsInPlace">Whether one buffer may be past and present at once (GroupQueryAttention); otherwise attention writes a longer copy.</param>
internal sealed record DecoderInterface(int Layers, int Heads, int Width, TensorElementType Cache, TensorElementType Logits, bool HasPositions,
    bool LastLogitsOnly, bool AppendsInPlace)
{
    public const string PositionIds = DecoderGraph.PositionIds;

    /// <exception cref="InvalidModelException">The graph is no decoder with a cache, or does not fit the configuration.</exception>
    /// <exception cref="UnsupportedModelException">A tensor has an element type that is not supported.</exception>
    public static DecoderInterface Read(InferenceSession session, ModelConfig config, string path)
    {
        var (inputs, outputs) = (session.InputMetadata, session.OutputMetadata);
        Require(inputs, DecoderGraph.InputIds, "input", TensorElementType.Int64);
        Require(inputs, DecoderGraph.AttentionMask, "input", TensorElementType.Int64);
        var logits = Require(outputs, DecoderGraph.Logits, "output", TensorElementType.Float, TensorElementType.Float16, TensorElementType.BFloat16);
        if (logits.Dimensions[^1] is > 0 and var width && width != config.VocabSize)
            throw new InvalidModelException($"Output 'logits' is {width} wide, but config.json says vocab_size {config.VocabSize}.");
        var type = Require(inputs, DecoderGraph.PastKey(0), "input", TensorElementType.Float, TensorElementType.Float16, TensorElementType.BFloat16).ElementDataType;
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            foreach (var name in new[] { DecoderGraph.PastKey(i), DecoderGraph.PastValue(i) })
            {
                var past = Require(inputs, name, "input", type);
                if (past.Dimensions is not [_, var heads, _, var head] || (heads > 0 && heads != config.NumKeyValueHeads) || (head > 0 && head != config.HeadDim))
                    throw new InvalidModelException($"Input '{name}' is [{string.Join(", ", past.Dimensions)}]; config.json asks for {config.NumKeyValueHeads} heads of {config.HeadDim}.");
            }
            Require(outputs, DecoderGraph.PresentKey(i), "output", type);
            Require(outputs, DecoderGraph.PresentValue(i), "output", type);
        }
        if (inputs.ContainsKey(DecoderGraph.PastKey(config.NumHiddenLayers)))
            throw new InvalidModelException($"The graph has more layers than the {config.NumHiddenLayers} of config.json.");
        if (inputs.ContainsKey(PositionIds))
            Require(inputs, PositionIds, "input", TensorElementType.Int64);
        RefuseOthers(inputs);
        return new(config.NumHiddenLayers, config.NumKeyValueHeads, config.HeadDim, type, logits.ElementDataType, inputs.ContainsKey(PositionIds),
            logits.Dimensions is [_, 1, _], GraphFile.Producer(path, DecoderGraph.PresentKey(0)) == "GroupQueryAttention");
    }

    private static void RefuseOthers(IReadOnlyDictionary<string, NodeMetadata> inputs)
    {
        if (inputs.Keys.FirstOrDefault(name => name is not (DecoderGraph.InputIds or DecoderGraph.AttentionMask or PositionIds) && !name.StartsWith("past_key_values.", StringComparison.Ordinal)) is { } other)
            throw new UnsupportedModelException($"The graph wants an input '{other}'; supported are input_ids, attention_mask, position_ids and past_key_values.");
    }

    private static NodeMetadata Require(IReadOnlyDictionary<string, NodeMetadata> side, string name, string kind, params TensorElementType[] types) =>
        !side.TryGetValue(name, out var found) ? throw new InvalidModelException($"The graph has no {kind} '{name}': it is not a decoder with a key/value cache.")
        : !types.Contains(found.ElementDataType) ? throw new UnsupportedModelException($"The {kind} '{name}' is {found.ElementDataType}; {string.Join(" or ", types)} is needed.")
        : found;
}

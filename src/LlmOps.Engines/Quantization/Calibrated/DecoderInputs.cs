using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Quantization;

/// <summary>What a decoder wants for one whole sequence without a past; disposed after the run.</summary>
internal sealed class DecoderInputs : IDisposable
{
    public Dictionary<string, OrtValue> Values { get; } = [];

    /// <exception cref="UnsupportedModelException">The graph has an input that is none of a decoder's.</exception>
    public DecoderInputs(InferenceSession session, int[] tokens)
    {
        long[] shape = [1, tokens.Length];
        foreach (var (name, metadata) in session.InputMetadata)
            Values[name] = name switch
            {
                DecoderGraph.InputIds => OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(tokens, t => (long)t), shape),
                DecoderGraph.AttentionMask => OrtValue.CreateTensorValueFromMemory(Enumerable.Repeat(1L, tokens.Length).ToArray(), shape),
                "position_ids" => OrtValue.CreateTensorValueFromMemory([.. Enumerable.Range(0, tokens.Length).Select(i => (long)i)], shape),
                _ when metadata.Dimensions is [_, var heads, _, var width] && heads > 0 && width > 0 =>
                    OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, metadata.ElementDataType, [1, heads, 0, width]),
                _ => throw new UnsupportedModelException($"The graph has the input '{name}', which is none of a decoder's; activations can be measured for decoders."),
            };
    }

    public void Dispose()
    {
        foreach (var value in Values.Values)
            value.Dispose();
    }
}

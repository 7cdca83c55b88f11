using System.Numerics.Tensors;

namespace LlmOps.Engines.Quantization;

/// <summary>Weights of any shape as 8-bit integers, symmetric, with one scale for each index of one axis or one for all.</summary>
/// <param name="Values">In the shape of the weights.</param>
/// <param name="Scales">One per channel, or a single one.</param>
internal sealed record ChannelInt8(sbyte[] Values, float[] Scales)
{
    /// <param name="weights">Row by row.</param>
    /// <param name="dims">Their shape.</param>
    /// <param name="axis">The channel axis, or −1 for one scale.</param>
    /// <param name="limit">Largest magnitude: 127, or 63 for seven bits.</param>
    public static ChannelInt8 Of(ReadOnlySpan<float> weights, IReadOnlyList<long> dims, int axis, int limit)
    {
        int channels = axis < 0 ? 1 : (int)dims[axis], inner = axis < 0 ? weights.Length : (int)dims.Skip(axis + 1).Aggregate(1L, (a, b) => a * b);
        var largest = new float[channels];
        for (int at = 0, channel = 0; at < weights.Length; at += inner, channel = (channel + 1) % channels)
            largest[channel] = Math.Max(largest[channel], Math.Abs(TensorPrimitives.MaxMagnitude(weights.Slice(at, inner))));
        // The rule of ONNX Runtime's quantizer: a channel of zeros gets scale 1.
        var scales = Array.ConvertAll(largest, l => l > 1e-30f ? l / limit : 1);
        var values = new sbyte[weights.Length];
        for (int at = 0, channel = 0; at < weights.Length; at += inner, channel = (channel + 1) % channels)
            for (var i = at; i < at + inner; i++)
                values[i] = (sbyte)Math.Clamp(MathF.Round(weights[i] / scales[channel]), -limit, limit);
        return new(values, scales);
    }
}

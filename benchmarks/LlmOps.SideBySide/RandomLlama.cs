using LlmOps.Engines.Checkpoints;

namespace LlmOps.SideBySide;

/// <summary>
/// A Llama-shaped checkpoint with random weights, by default of the size of SmolLM2-135M. Every tensor has its own seed: ONNX Runtime keeps
/// equal matrices once, so repeated weights would fit in the cache and flatter the result.
/// </summary>
internal static class RandomLlama
{
    public static ModelConfig Config(int layers = 30) => new()
    {
        VocabSize = 49152, HiddenSize = 576, IntermediateSize = 1536, NumHiddenLayers = layers, NumAttentionHeads = 9, NumKeyValueHeads = 3, HeadDim = 64,
        MaxPositionEmbeddings = 2048, RmsNormEps = 1e-5, RopeTheta = 10000, TieWordEmbeddings = true,
    };

    /// <summary>Loads in no time: opening it first takes the compilation of our own code out of a measurement.</summary>
    public static ModelConfig Tiny => Config(1) with { VocabSize = 256, HiddenSize = 64, IntermediateSize = 64, NumAttentionHeads = 1, NumKeyValueHeads = 1 };

    /// <summary>Writes config.json and model.safetensors in bfloat16, the type in which such checkpoints are published.</summary>
    public static void Write(string folder, ModelConfig config)
    {
        Directory.CreateDirectory(folder);
        config.Write(folder);
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), DecoderTensors.Expected(config).Select((tensor, i) =>
            new TensorSource(tensor.Name, TensorType.BF16, tensor.Shape, stream => stream.Write(Values(tensor.Shape, seed: i)))));
    }

    // Normal with variance 1 / inputs keeps activations near 1 through all layers; norm weights scatter around 1.
    private static byte[] Values(long[] shape, int seed)
    {
        var count = shape.Aggregate(1L, (a, b) => a * b);
        var bytes = new byte[count * 2];
        var rows = shape.Length == 2 ? shape[0] : 1;
        var width = (int)(count / rows);
        var (mean, deviation) = shape.Length == 2 ? (0.0, 1 / Math.Sqrt(width)) : (1.0, 0.05);
        Parallel.For(0, rows, row =>
        {
            var random = new Random(unchecked(seed * 1_000_003 + (int)row));
            for (var i = 0; i < width; i++)
            {
                var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
                var bits = BitConverter.SingleToUInt32Bits((float)(mean + deviation * normal)) + 0x8000; // rounds half up
                BitConverter.TryWriteBytes(bytes.AsSpan((int)(row * width + i) * 2), (ushort)(bits >> 16));
            }
        });
        return bytes;
    }
}

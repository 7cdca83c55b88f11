using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Tests.Checkpoints;

/// <summary>A checkpoint of random weights, small enough to be made anew by every test.</summary>
internal static class TinyCheckpoint
{
    public static void Write(string folder, ModelConfig config, Func<IEnumerable<(string Name, long[] Shape, float[] Data)>, IEnumerable<(string, long[], float[])>>? change = null)
    {
        config.Write(folder);
        var random = new Random(1);
        var tensors = DecoderTensors.Expected(config).Select(t => (t.Name, t.Shape, Values(random, t.Shape))).ToList();
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, CheckpointFolder.WeightsFileName), change?.Invoke(tensors) ?? tensors);
    }

    private static float[] Values(Random random, long[] shape)
    {
        var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = random.NextSingle() - 0.5f;
        return values;
    }
}

using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Tests.Quantization;

/// <summary>Inputs with some of the structure that a model expects: dark strokes in lines on white paper, tones over noise, features around zero.</summary>
internal static class SyntheticInputs
{
    /// <summary>Lines of random glyphs, in the normalisation of image models: (value − mean) / deviation.</summary>
    public static NamedTensor Page(string name, int seed, int height, int width, float mean, float deviation)
    {
        var random = new Random(seed);
        var ink = new float[height * width];
        for (var line = 6; line + 18 <= height; line += 28)
            for (var glyph = 4 + random.Next(8); glyph + 12 <= width; glyph += random.Next(8) == 0 ? 22 : 13)
                for (var stroke = 0; stroke < 5; stroke++)
                {
                    var across = random.Next(2) == 0;
                    int top = line + random.Next(across ? 17 : 5), left = glyph + random.Next(across ? 3 : 10);
                    for (var y = top; y < Math.Min(height, top + (across ? 2 : 12)); y++)
                        for (var x = left; x < Math.Min(width, left + (across ? 9 : 2)); x++)
                            ink[y * width + x] = 1;
                }
        var values = new float[3 * ink.Length];
        for (var i = 0; i < values.Length; i++)
            values[i] = (0.95f - 0.85f * ink[i % ink.Length] + 0.03f * (float)(random.NextDouble() - 0.5) - mean) / deviation;
        return NamedTensor.Of(name, values, 1, 3, height, width);
    }

    /// <summary>Three tones that come and go over noise, sampled 16000 times a second.</summary>
    public static NamedTensor Sound(string name, int seed, int samples)
    {
        var random = new Random(seed);
        var tones = Enumerable.Range(0, 3).Select(_ => (Frequency: 100 + 1500 * random.NextDouble(), Phase: 6.28 * random.NextDouble(), Beat: 2 + 6 * random.NextDouble())).ToArray();
        return NamedTensor.Of(name, [.. Enumerable.Range(0, samples).Select(i =>
            (float)(tones.Sum(t => 0.2 * Math.Sin(6.283 * t.Frequency * i / 16000 + t.Phase) * Math.Max(0, Math.Sin(6.283 * t.Beat * i / 16000))) + 0.02 * (random.NextDouble() - 0.5)))], 1, samples);
    }

    public static NamedTensor Normal(string name, int seed, double deviation, params long[] shape)
    {
        var random = new Random(seed);
        return NamedTensor.Of(name, [.. Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ =>
            (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))], shape);
    }
}

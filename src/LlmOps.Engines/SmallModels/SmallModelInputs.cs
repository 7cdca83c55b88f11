using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.SmallModels;

/// <summary>Turns samples into the inputs of a small model's graph.</summary>
public static class SmallModelInputs
{
    private const int RandomTokens = 16;

    /// <summary>One batch.</summary>
    /// <param name="config">The model.</param>
    /// <param name="samples">At least one; each of the model's size.</param>
    /// <exception cref="ArgumentException">A sample has another size than the model takes.</exception>
    public static IReadOnlyList<NamedTensor> Of(SmallModelConfig config, IReadOnlyList<Sample> samples) => config switch
    {
        CnnClassifierConfig cnn => [Images(CnnGraph.Image, samples, cnn.Width, cnn.Height)],
        LinearRegressionConfig linear => [Features(BaselineGraphs.Features, samples, linear.Features)],
        KernelSvmConfig svm => [Features(BaselineGraphs.Features, samples, svm.Features)],
        AutoencoderConfig coder => [Images(AutoencoderGraph.Image, samples, coder.ImageSize, coder.ImageSize), NamedTensor.Of(AutoencoderGraph.Shift, new float[samples.Count * coder.Latent], samples.Count, coder.Latent)],
        DiffusionConfig diffusion => Noisy(diffusion, samples),
        _ => throw new UnsupportedModelException($"A {config.Kind} takes no samples."),
    };

    /// <summary>Random batches of the model's size, for the comparison of two ways to compute it.</summary>
    /// <param name="config">The model.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="random">Source of the values: pixels from 0 to 1, features from N(0, 1).</param>
    public static IReadOnlyList<NamedTensor> Random(SmallModelConfig config, int batch, Random random) => config switch
    {
        CnnClassifierConfig cnn => [NamedTensor.Of(CnnGraph.Image, Uniform(batch * cnn.Width * cnn.Height, random), batch, 1, cnn.Height, cnn.Width)],
        LstmConfig lstm => [.. Lstm(lstm, [.. Enumerable.Range(0, batch * RandomTokens).Select(_ => (long)random.Next(lstm.VocabSize))], batch, RandomTokens).Take(1),
            .. new[] { LstmGraph.Hidden, LstmGraph.Cell }.Select(name => NamedTensor.Of(name, Normal(lstm.Layers * batch * lstm.HiddenSize, random), lstm.Layers, batch, lstm.HiddenSize))],
        LinearRegressionConfig linear => [NamedTensor.Of(BaselineGraphs.Features, Normal(batch * linear.Features, random), batch, linear.Features)],
        KernelSvmConfig svm => [NamedTensor.Of(BaselineGraphs.Features, Normal(batch * svm.Features, random), batch, svm.Features)],
        AutoencoderConfig coder => [NamedTensor.Of(AutoencoderGraph.Image, Uniform(batch * coder.Pixels, random), batch, 1, coder.ImageSize, coder.ImageSize),
            NamedTensor.Of(AutoencoderGraph.Shift, Normal(batch * coder.Latent, random), batch, coder.Latent)],
        DiffusionConfig diffusion => [NamedTensor.Of(DiffusionGraph.Sample, Normal(batch * diffusion.Pixels, random), batch, 1, diffusion.ImageSize, diffusion.ImageSize),
            NamedTensor.Of(DiffusionGraph.Timestep, [.. Enumerable.Range(0, batch).Select(_ => random.NextInt64(diffusion.Timesteps))], batch)],
        _ => throw new UnsupportedModelException($"A {config.Kind} has no random inputs here."),
    };

    // Steps and noise follow from the pixels: the same image is always made noisy in the same way.
    private static IReadOnlyList<NamedTensor> Noisy(DiffusionConfig config, IReadOnlyList<Sample> samples)
    {
        var clean = Images(DiffusionGraph.Sample, samples, config.ImageSize, config.ImageSize);
        var (schedule, noisy, steps) = (config.Noise(), new float[samples.Count * config.Pixels], new long[samples.Count]);
        foreach (var (row, sample) in samples.Index())
        {
            var random = new CounterRandom(0, -7, sample.Values.Aggregate(17L, (hash, value) => unchecked(hash * 31 + BitConverter.SingleToInt32Bits(value))));
            var noise = new float[config.Pixels];
            steps[row] = random.Next(schedule.Steps);
            random.Gaussian(noise);
            schedule.AddNoise(DiffusionEvaluation.Signed(sample), noise, (int)steps[row], noisy.AsSpan(row * config.Pixels, config.Pixels));
        }
        return [NamedTensor.Of(DiffusionGraph.Sample, noisy, [.. clean.Shape]), NamedTensor.Of(DiffusionGraph.Timestep, steps, samples.Count)];
    }

    /// <summary>Tokens of an LSTM, each row with an empty state before it.</summary>
    internal static IReadOnlyList<NamedTensor> Lstm(LstmConfig config, long[] ids, int batch, int length)
    {
        var empty = new float[config.Layers * batch * config.HiddenSize];
        return [NamedTensor.Of(LstmGraph.Ids, ids, batch, length), .. new[] { LstmGraph.Hidden, LstmGraph.Cell }.Select(name => NamedTensor.Of(name, empty, config.Layers, batch, config.HiddenSize))];
    }

    internal static NamedTensor Images(string name, IReadOnlyList<Sample> samples, int width, int height)
    {
        if (samples.FirstOrDefault(s => s.Width != width || s.Height != height) is { } other)
            throw new ArgumentException(other.IsImage ? $"A picture has {other.Width} × {other.Height} pixels; the model takes {width} × {height}." : "A row of a table is no picture; the model takes pictures.");
        return NamedTensor.Of(name, Join(samples), samples.Count, 1, height, width);
    }

    internal static NamedTensor Features(string name, IReadOnlyList<Sample> samples, int features)
    {
        if (samples.FirstOrDefault(s => s.IsImage || s.Values.Length != features) is { } other)
            throw new ArgumentException(other.IsImage ? "A picture is no row of a table; the model takes features." : $"A row has {other.Values.Length} features; the model takes {features}.");
        return NamedTensor.Of(name, Join(samples), samples.Count, features);
    }

    internal static float[] Uniform(int count, Random random) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle())];

    internal static float[] Normal(int count, Random random) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];

    private static float[] Join(IReadOnlyList<Sample> samples) => [.. samples.SelectMany(s => s.Values)];
}

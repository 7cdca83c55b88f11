using LlmOps.Engines.Onnx;
using LlmOps.Engines.Pictures;

namespace LlmOps.Engines.SmallModels;

/// <summary>Measures a diffusion on images that it has not learned from: how well it predicts noise at fixed steps, and how far its samples are from them.</summary>
internal static class DiffusionEvaluation
{
    private const int BatchSize = 64, Levels = 8, MostDrawn = 200, FewSteps = 25, Shown = 10;
    private const int Seed = 0;

    public static SmallModelScores Score(DiffusionConfig config, SmallModelRun model, IReadOnlyList<Sample> samples, CancellationToken ct)
    {
        NoiseSchedule schedule = config.Noise();
        float[] Predict(float[] x, int t) => DiffusionEvaluation.Predict(config, model, x, t);
        List<SampleScore> rows = [.. Denoising(config, schedule, Predict, samples, ct)];
        int steps = Math.Min(FewSteps, config.Timesteps);
        List<Picture> pictures = [.. DiffusionPictures.Make(config, Predict, steps, ct)];
        if (samples.Count > 1)
        {
            float[][] data = [.. samples.Take(MostDrawn).Select(s => s.Values)];
            float[][] drawn = DiffusionPictures.Images(new DiffusionSampler(schedule, steps, Eta: 0).Sample(Predict, data.Length, config.Pixels, Seed + 1, ct: ct), config);
            float[][] independent = IndependentPixels(samples, data.Length);
            // The median itself sees little but mean and variance: images of independent pixels then seem as near as real ones. A quarter of it sees shapes.
            double bandwidth = KernelDistance.Bandwidth(data) / 4;
            foreach (var (name, set) in new[] { (SmallModelMetrics.Distance, drawn), (SmallModelMetrics.DistanceBaseline, independent) })
                rows.AddRange(KernelDistance.Contributions(data, set, bandwidth).Select((value, i) => new SampleScore(i, name, value)));
            float[][] chain = DiffusionPictures.Images(new DiffusionSampler(schedule).Sample(Predict, Shown, config.Pixels, Seed + 2, ct: ct), config);
            pictures.Add(new($"Held-out images, samples of {steps} steps (DDIM), samples of all {config.Timesteps} steps (DDPM), and pixels drawn independently",
                ImageGrid.Png([[.. data.Take(Shown)], [.. drawn.Take(Shown)], chain, [.. independent.Take(Shown)]], config.ImageSize)));
            pictures.Add(new("Mean and standard deviation of each pixel: held-out images above, samples below", ImageGrid.Png([Moments(data), Moments(drawn)], config.ImageSize, zoom: 6)));
        }
        return new(rows, pictures);
    }

    /// <summary>Squared error of the predicted noise per pixel, averaged over steps spread through the chain; the noise depends on step and row only.</summary>
    private static IEnumerable<SampleScore> Denoising(DiffusionConfig config, NoiseSchedule schedule, Denoiser model, IReadOnlyList<Sample> samples, CancellationToken ct)
    {
        double[] errors = new double[samples.Count], nothing = new double[samples.Count];
        for (int level = 0; level < Levels; level++)
        {
            int t = (int)((level + 0.5) * schedule.Steps / Levels);
            for (int start = 0; start < samples.Count; start += BatchSize)
            {
                ct.ThrowIfCancellationRequested();
                int count = Math.Min(BatchSize, samples.Count - start);
                float[] noise = new float[count * config.Pixels], noisy = new float[count * config.Pixels];
                for (int i = 0; i < count; i++)
                {
                    Span<float> drawn = noise.AsSpan(i * config.Pixels, config.Pixels);
                    new CounterRandom(Seed, t, start + i).Gaussian(drawn);
                    schedule.AddNoise(Signed(samples[start + i]), drawn, t, noisy.AsSpan(i * config.Pixels, config.Pixels));
                }
                float[] predicted = model(noisy, t), zero = new float[config.Pixels];
                for (int i = 0; i < count; i++)
                {
                    ReadOnlySpan<float> wanted = noise.AsSpan(i * config.Pixels, config.Pixels);
                    errors[start + i] += AutoencoderEvaluation.SquaredError(wanted, predicted.AsSpan(i * config.Pixels, config.Pixels)) / Levels;
                    nothing[start + i] += AutoencoderEvaluation.SquaredError(wanted, zero) / Levels;
                }
            }
        }
        for (int i = 0; i < samples.Count; i++)
        {
            yield return new(i, SmallModelMetrics.Denoising, errors[i], Slice: samples[i].Target);
            yield return new(i, SmallModelMetrics.DenoisingBaseline, nothing[i]);
        }
    }

    internal static float[] Predict(DiffusionConfig config, SmallModelRun model, float[] x, int t)
    {
        int count = x.Length / config.Pixels;
        var predicted = new float[x.Length];
        for (int start = 0; start < count; start += BatchSize)
        {
            int rows = Math.Min(BatchSize, count - start);
            var found = model([NamedTensor.Of(DiffusionGraph.Sample, x.AsSpan(start * config.Pixels, rows * config.Pixels).ToArray(), rows, 1, config.ImageSize, config.ImageSize),
                NamedTensor.Of(DiffusionGraph.Timestep, Enumerable.Repeat((long)t, rows).ToArray(), rows)]);
            found[0].Values<float>().CopyTo(predicted.AsSpan(start * config.Pixels));
        }
        return predicted;
    }

    internal static float[] Signed(Sample sample) => Array.ConvertAll(sample.Values, v => 2 * v - 1);

    // Each pixel from another random image: right mean and variance everywhere, no shape. What a model that knows only pixels would draw.
    private static float[][] IndependentPixels(IReadOnlyList<Sample> samples, int count) => [.. Enumerable.Range(0, count).Select(i =>
    {
        var random = new CounterRandom(Seed, -6, i);
        var image = new float[samples[0].Values.Length];
        for (int p = 0; p < image.Length; p++)
            image[p] = samples[random.Next(samples.Count)].Values[p];
        return image;
    })];

    private static float[][] Moments(float[][] set)
    {
        int pixels = set[0].Length;
        float[] mean = [.. Enumerable.Range(0, pixels).Select(p => set.Average(image => image[p]))];
        return [mean, [.. Enumerable.Range(0, pixels).Select(p => MathF.Sqrt(set.Average(image => (image[p] - mean[p]) * (image[p] - mean[p]))))]];
    }
}

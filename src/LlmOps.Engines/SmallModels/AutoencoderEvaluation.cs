using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.SmallModels;

/// <summary>Measures an autoencoder on images that it has not learned from.</summary>
internal static class AutoencoderEvaluation
{
    private const int BatchSize = 64;
    // Noise of the posterior draw, the same for every form of a model.
    private const int Seed = 0, Step = -5;

    public static SmallModelScores Score(AutoencoderConfig config, SmallModelRun model, IReadOnlyList<Sample> samples, CancellationToken ct)
    {
        var rows = new List<SampleScore>();
        var mean = MeanImage(samples);
        for (int start = 0; start < samples.Count; start += BatchSize)
        {
            ct.ThrowIfCancellationRequested();
            Sample[] batch = [.. samples.Skip(start).Take(BatchSize)];
            var inputs = SmallModelInputs.Of(config, batch);
            var found = model(inputs);
            ReadOnlySpan<float> images = Values(found, AutoencoderGraph.Reconstruction);
            for (int i = 0; i < batch.Length; i++)
            {
                rows.Add(new(start + i, SmallModelMetrics.Reconstruction, SquaredError(batch[i].Values, images.Slice(i * config.Pixels, config.Pixels)), Slice: batch[i].Target));
                rows.Add(new(start + i, SmallModelMetrics.ReconstructionBaseline, SquaredError(batch[i].Values, Without(mean, batch[i].Values, samples.Count))));
            }
            if (config.Variational)
                rows.AddRange(Bound(config, model, batch, found, start));
        }
        return new(rows, AutoencoderPictures.Make(config, [.. samples.Select(s => s.Values)], values => Encode(config, model, values), codes => Decode(config, model, codes)));
    }

    /// <summary>The negative evidence bound with one draw of the code for each image.</summary>
    private static IEnumerable<SampleScore> Bound(AutoencoderConfig config, SmallModelRun model, Sample[] batch, IReadOnlyList<NamedTensor> found, int start)
    {
        int latent = config.Latent;
        float[] means = Values(found, AutoencoderGraph.Latent).ToArray(), logs = Values(found, AutoencoderGraph.LogVariance).ToArray(), shift = new float[batch.Length * latent];
        for (int i = 0; i < batch.Length; i++)
        {
            new CounterRandom(Seed, Step, start + i).Gaussian(shift.AsSpan(i * latent, latent));
            for (int j = i * latent; j < (i + 1) * latent; j++)
                shift[j] *= MathF.Exp(logs[j] / 2);
        }
        float[] drawn = Values(Run(config, model, [.. batch.SelectMany(s => s.Values)], shift), AutoencoderGraph.Reconstruction).ToArray();
        for (int i = 0; i < batch.Length; i++)
        {
            double kl = AutoencoderBound.Divergence(means.AsSpan(i * latent, latent), logs.AsSpan(i * latent, latent));
            double reconstruction = AutoencoderBound.NegativeLogLikelihood(config.Reconstruction, drawn.AsSpan(i * config.Pixels, config.Pixels), batch[i].Values);
            yield return new(start + i, SmallModelMetrics.Bound, (reconstruction + kl) / (config.Pixels * Math.Log(2)), Slice: batch[i].Target);
            yield return new(start + i, SmallModelMetrics.Divergence, kl);
        }
    }

    private static float[] Encode(AutoencoderConfig config, SmallModelRun model, float[] images) =>
        Values(Run(config, model, images, new float[images.Length / config.Pixels * config.Latent]), AutoencoderGraph.Latent).ToArray();

    // The graph adds a shift to the code of an image; the difference to the code of an empty image therefore decodes any code.
    private static float[] Decode(AutoencoderConfig config, SmallModelRun model, float[] codes)
    {
        int count = codes.Length / config.Latent;
        float[] empty = new float[count * config.Pixels], of = Encode(config, model, empty);
        return Values(Run(config, model, empty, [.. codes.Zip(of, (z, mean) => z - mean)]), AutoencoderGraph.Reconstruction).ToArray();
    }

    private static IReadOnlyList<NamedTensor> Run(AutoencoderConfig config, SmallModelRun model, float[] images, float[] shift)
    {
        int count = images.Length / config.Pixels;
        return model([NamedTensor.Of(AutoencoderGraph.Image, images, count, 1, config.ImageSize, config.ImageSize), NamedTensor.Of(AutoencoderGraph.Shift, shift, count, config.Latent)]);
    }

    private static ReadOnlySpan<float> Values(IReadOnlyList<NamedTensor> found, string name) => found.First(f => f.Name == name).Values<float>();

    internal static double SquaredError(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        return sum / a.Length;
    }

    internal static float[] MeanImage(IReadOnlyList<Sample> samples)
    {
        var mean = new float[samples[0].Values.Length];
        foreach (Sample sample in samples)
            for (int i = 0; i < mean.Length; i++)
                mean[i] += sample.Values[i] / samples.Count;
        return mean;
    }

    // The mean of the other images: what somebody knows who has seen no code.
    private static float[] Without(float[] mean, float[] image, int count) =>
        count == 1 ? mean : [.. mean.Zip(image, (m, v) => (m * count - v) / (count - 1))];
}

using LlmOps.Engines.Pictures;

namespace LlmOps.Engines.SmallModels;

/// <summary>What a diffusion makes, as pictures: the same ones while it is trained and when it is measured.</summary>
public static class DiffusionPictures
{
    private const int Columns = 10, Rows = 2, Strips = 4;

    /// <summary>Samples of the deterministic sampler, and the way of some from noise to image.</summary>
    /// <param name="config">The model.</param>
    /// <param name="model">Predicts noise.</param>
    /// <param name="steps">Evaluations of the model for each sample.</param>
    /// <param name="ct">Stops between two steps.</param>
    public static IReadOnlyList<Picture> Make(DiffusionConfig config, Denoiser model, int steps, CancellationToken ct = default)
    {
        var states = new List<float[]>();
        // The same seed at every call: a series shows the same noise become an image as the model learns.
        float[] drawn = new DiffusionSampler(config.Noise(), steps, Eta: 0).Sample(model, Rows * Columns, config.Pixels, seed: 0, (_, x) => states.Add(x), ct);
        float[][] images = Images(drawn, config);
        int columns = Math.Min(Columns, states.Count);
        float[][][] shown = [.. Enumerable.Range(1, columns).Select(k => Images(states[k * states.Count / columns - 1], config))];
        return
        [
            new($"Samples: {steps} steps of the deterministic sampler", ImageGrid.Png([images[..Columns], images[Columns..]], config.ImageSize)),
            new("Denoising: from noise (left) to image (right)", ImageGrid.Png([.. Enumerable.Range(0, Strips).Select(row => shown.Select(state => state[row]).ToArray())], config.ImageSize)),
        ];
    }

    /// <summary>Images from 0 to 1 of samples from −1 to 1.</summary>
    internal static float[][] Images(float[] samples, DiffusionConfig config) => [.. Array.ConvertAll(samples, v => (v + 1) / 2).Chunk(config.Pixels)];
}

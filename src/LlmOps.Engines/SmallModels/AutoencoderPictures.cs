using LlmOps.Engines.Pictures;

namespace LlmOps.Engines.SmallModels;

/// <summary>What an autoencoder makes, as pictures: the same ones while it is trained and when it is measured.</summary>
public static class AutoencoderPictures
{
    private const int Columns = 10, Traversals = 8;
    private const float Reach = 2.5f;

    /// <summary>Input images above their reconstructions; then, variational, samples from the prior and a latent traversal, or interpolations between images.</summary>
    /// <param name="config">The model.</param>
    /// <param name="images">Images of the model's size, 0 to 1; the first ten are shown.</param>
    /// <param name="encode">Codes [n · latent] of images [n · pixels].</param>
    /// <param name="decode">Images [n · pixels] of codes [n · latent].</param>
    public static IReadOnlyList<Picture> Make(AutoencoderConfig config, IReadOnlyList<float[]> images, Func<float[], float[]> encode, Func<float[], float[]> decode)
    {
        float[][] inputs = [.. images.Take(Columns)];
        float[] codes = encode([.. inputs.SelectMany(i => i)]);
        float[][] Decoded(float[] values) => [.. decode(values).Chunk(config.Pixels)];
        var pictures = new List<Picture> { new("Reconstructions: images above what the decoder makes of their codes", ImageGrid.Png([inputs, Decoded(codes)], config.ImageSize)) };
        if (config.Variational)
        {
            var noise = new float[2 * Columns * config.Latent];
            new CounterRandom(0, -3, 0).Gaussian(noise);
            float[][] drawn = Decoded(noise);
            pictures.Add(new("Samples: codes drawn from the prior, decoded", ImageGrid.Png([drawn[..Columns], drawn[Columns..]], config.ImageSize)));
            pictures.Add(new("Latent traversal: each row changes one number of the first image's code from -2.5 to 2.5", ImageGrid.Png(
                [.. Enumerable.Range(0, Math.Min(Traversals, config.Latent)).Select(d => Decoded(Line(config, i => i == d ? -Reach : codes[i], i => i == d ? Reach : codes[i])))], config.ImageSize)));
        }
        else if (inputs.Length > 1)
            pictures.Add(new("Interpolation: codes between those of two images, decoded", ImageGrid.Png(
                [.. Enumerable.Range(0, Math.Min(4, inputs.Length - 1)).Select(row => Decoded(Line(config, i => codes[row * config.Latent + i], i => codes[(row + 1) * config.Latent + i])))], config.ImageSize)));
        return pictures;
    }

    private static float[] Line(AutoencoderConfig config, Func<int, float> from, Func<int, float> to) =>
        [.. Enumerable.Range(0, Columns + 1).SelectMany(step => Enumerable.Range(0, config.Latent).Select(i => from(i) + (to(i) - from(i)) * step / Columns))];
}

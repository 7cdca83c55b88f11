using LlmOps.Engines.SmallModels;
using LlmOps.Training.Batching;
using TorchSharp;

namespace LlmOps.Training.SmallModels;

/// <summary>Square gray images of one size as floats, and the order in which training sees them.</summary>
internal sealed class ImageSet
{
    private readonly float[][] images;

    /// <param name="samples">Square pictures of one size.</param>
    /// <param name="low">What a black pixel becomes; white stays 1.</param>
    /// <exception cref="ArgumentException">There is no picture, or one is not square or has another size than the first.</exception>
    public ImageSet(IReadOnlyList<Sample> samples, float low)
    {
        if (samples.Count == 0) throw new ArgumentException("There is no picture to train on.", nameof(samples));
        if (samples.Any(s => !s.IsImage)) throw new ArgumentException("This model learns from pictures, not from rows of a table.", nameof(samples));
        if (samples[0].Width != samples[0].Height) throw new ArgumentException($"The first picture has {samples[0].Width} × {samples[0].Height} pixels; square ones are needed.", nameof(samples));
        if (samples.FirstOrDefault(s => s.Width != samples[0].Width || s.Height != samples[0].Height) is { } other)
            throw new ArgumentException($"The pictures differ in size: {samples[0].Width} × {samples[0].Height} and {other.Width} × {other.Height} pixels. Bring them to one size.", nameof(samples));
        Side = samples[0].Width;
        images = [.. samples.Select(s => Array.ConvertAll(s.Values, p => low + (1 - low) * p))];
    }

    /// <summary>Number of images.</summary>
    public int Count => images.Length;

    /// <summary>Pixels per side.</summary>
    public int Side { get; }

    /// <summary>One image, row by row.</summary>
    public float[] this[int index] => images[index];

    /// <summary>Images [n, pixels].</summary>
    public torch.Tensor Take(IReadOnlyList<int> indices)
    {
        var values = new float[indices.Count * Side * Side];
        foreach (var (row, index) in indices.Index()) images[index].CopyTo(values, row * Side * Side);
        return torch.tensor(values, [indices.Count, Side * Side]);
    }

    /// <summary>Indices of the images of every step, a pure function of the seed.</summary>
    public List<int[]> Steps(LoopOptions options) =>
        [.. Enumerable.Range(0, options.Epochs).SelectMany(epoch => Epoch(options, epoch)).Take(options.MaxSteps > 0 ? options.MaxSteps : int.MaxValue)];

    /// <summary>The pixels in the form that <see cref="RunKey"/> digests.</summary>
    public IEnumerable<int[]> ForKey() => images.Select(image => Array.ConvertAll(image, BitConverter.SingleToInt32Bits));

    private IEnumerable<int[]> Epoch(LoopOptions options, int epoch)
    {
        int[] order = [.. Enumerable.Range(0, Count)];
        new Random(LengthBuckets.HashCodeOf(options.Seed, epoch)).Shuffle(order);
        return order.Chunk(options.BatchSize);
    }
}

using LlmOps.Engines.SmallModels;
using TorchSharp;

namespace LlmOps.Training.SmallModels;

/// <summary>Images with noise: x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε.</summary>
/// <param name="Noisy">x_t, [n, pixels].</param>
/// <param name="Noise">ε, [n, pixels].</param>
/// <param name="Steps">t, [n], int64.</param>
internal sealed record NoisyBatch(torch.Tensor Noisy, torch.Tensor Noise, torch.Tensor Steps)
{
    /// <summary>Draws steps and noise as functions of seed, step of the training and index of the image.</summary>
    /// <param name="set">The images, −1 to 1.</param>
    /// <param name="indices">Which.</param>
    /// <param name="schedule">How much noise.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="step">Step of the training.</param>
    /// <param name="timeOf">Step of the chain by index; drawn uniformly when null.</param>
    public static NoisyBatch Draw(ImageSet set, IReadOnlyList<int> indices, NoiseSchedule schedule, int seed, int step, Func<int, int>? timeOf = null)
    {
        int pixels = set.Side * set.Side;
        var (noisy, noise, times) = (new float[indices.Count * pixels], new float[indices.Count * pixels], new long[indices.Count]);
        foreach (var (row, index) in indices.Index())
        {
            var random = new CounterRandom(seed, step, index);
            int t = timeOf?.Invoke(index) ?? random.Next(schedule.Steps);
            times[row] = t;
            Span<float> drawn = noise.AsSpan(row * pixels, pixels);
            random.Gaussian(drawn);
            schedule.AddNoise(set[index], drawn, t, noisy.AsSpan(row * pixels, pixels));
        }
        return new NoisyBatch(torch.tensor(noisy, [indices.Count, pixels]), torch.tensor(noise, [indices.Count, pixels]), torch.tensor(times));
    }
}

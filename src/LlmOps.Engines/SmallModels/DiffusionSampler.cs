namespace LlmOps.Engines.SmallModels;

/// <summary>Predicts the noise in a batch of noisy images at one step t: <c>x</c> and the result are [count · size], row by row.</summary>
public delegate float[] Denoiser(float[] x, int t);

/// <summary>
/// Turns noise into samples with a model that predicts the noise: all steps of the chain with fresh noise at each (DDPM, Ho et al. 2020), or a few steps
/// of its deterministic counterpart (DDIM, Song et al. 2021). Noise is a pure function of (seed, step, sample), so sample i does not depend on how many
/// are drawn.
/// </summary>
/// <param name="Schedule">The schedule that the model was trained with.</param>
/// <param name="Steps">Evaluations of the model; 0 takes all steps of the schedule.</param>
/// <param name="Eta">0 adds no noise on the way (DDIM), 1 as much as the chain (DDPM).</param>
/// <param name="Clip">Bound of the predicted image, for data that has one; null for none.</param>
public sealed record DiffusionSampler(NoiseSchedule Schedule, int Steps = 0, double Eta = 1, double? Clip = 1)
{
    /// <summary>Draws samples.</summary>
    /// <param name="model">Predicts noise.</param>
    /// <param name="count">Samples.</param>
    /// <param name="size">Values of one sample.</param>
    /// <param name="seed">Another seed gives other samples.</param>
    /// <param name="see">Called with the step just finished and the state after it, which belongs to the caller.</param>
    /// <param name="ct">Stops between two steps.</param>
    /// <returns>[count · size], row by row.</returns>
    /// <exception cref="ArgumentException">More steps than the schedule has, or η outside of 0 to 1.</exception>
    public float[] Sample(Denoiser model, int count, int size, int seed, Action<int, float[]>? see = null, CancellationToken ct = default)
    {
        int steps = Steps == 0 ? Schedule.Steps : Steps;
        if (steps < 1 || steps > Schedule.Steps)
            throw new ArgumentException($"{steps} steps of sampling are asked for; the schedule has {Schedule.Steps}.");
        if (Eta is not (>= 0 and <= 1))
            throw new ArgumentException($"Eta is {Eta}; it must be 0 to 1.");
        var x = new float[count * size];
        // The start takes a step's number that the chain never has.
        for (int i = 0; i < count; i++)
            new CounterRandom(seed, Schedule.Steps, i).Gaussian(x.AsSpan(i * size, size));
        int[] times = Times(steps);
        var noise = new float[size];
        for (int k = 0; k < times.Length; k++)
        {
            ct.ThrowIfCancellationRequested();
            int t = times[k];
            float[] predicted = model(x, t);
            double alphaBar = Schedule.AlphaBars[t], before = k + 1 < times.Length ? Schedule.AlphaBars[times[k + 1]] : 1;
            // With all steps and η = 1 this deviation is that of the chain's posterior, √β̃_t.
            double deviation = Eta * Math.Sqrt((1 - before) / (1 - alphaBar) * (1 - alphaBar / before)), direction = Math.Sqrt(Math.Max(0, 1 - before - deviation * deviation));
            for (int i = 0; i < count; i++)
            {
                if (deviation > 0)
                    new CounterRandom(seed, t, i).Gaussian(noise);
                for (int j = i * size; j < (i + 1) * size; j++)
                {
                    double image = (x[j] - Schedule.Noise(t) * predicted[j]) / Schedule.Signal(t), epsilon = predicted[j];
                    if (Clip is double bound && Math.Abs(image) > bound)
                    {
                        image = Math.Clamp(image, -bound, bound);
                        epsilon = (x[j] - Schedule.Signal(t) * image) / Schedule.Noise(t);
                    }
                    x[j] = (float)(Math.Sqrt(before) * image + direction * epsilon + deviation * noise[j - i * size]);
                }
            }
            see?.Invoke(t, [.. x]);
        }
        return x;
    }

    /// <summary>The steps visited, from noisy to clean: evenly spread, the noisiest always among them.</summary>
    internal int[] Times(int steps) => [.. Enumerable.Range(0, steps).Select(k => (int)((long)(steps - k) * Schedule.Steps / steps) - 1)];
}

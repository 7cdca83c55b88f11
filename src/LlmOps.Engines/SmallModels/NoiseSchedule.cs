namespace LlmOps.Engines.SmallModels;

/// <summary>
/// How much noise each step of a diffusion adds (Ho, Jain and Abbeel 2020): q(x_t | x_{t−1}) = N(√(1−β_t) x_{t−1}, β_t), hence
/// q(x_t | x_0) = N(√ᾱ_t x_0, 1−ᾱ_t) with ᾱ_t = Π (1−β_s). Steps count from 0 here: step 0 adds the first noise.
/// </summary>
public sealed class NoiseSchedule
{
    private readonly double[] betas, alphaBars;

    private NoiseSchedule(double[] betas)
    {
        this.betas = betas;
        alphaBars = new double[betas.Length];
        double product = 1;
        for (int t = 0; t < betas.Length; t++)
            alphaBars[t] = product *= 1 - betas[t];
    }

    /// <summary>Number of steps T.</summary>
    public int Steps => betas.Length;

    /// <summary>β per step.</summary>
    public IReadOnlyList<double> Betas => betas;

    /// <summary>ᾱ per step.</summary>
    public IReadOnlyList<double> AlphaBars => alphaBars;

    /// <summary>
    /// β rises linearly; 10⁻⁴ to 0.02 for 1000 steps as in the paper, and scaled by 1000 / <paramref name="steps"/> for others, so that the end is as
    /// noisy (Nichol and Dhariwal 2021's code does the same).
    /// </summary>
    /// <exception cref="ArgumentException">Fewer than 25 steps: β would reach 0.8 and more.</exception>
    public static NoiseSchedule Linear(int steps)
    {
        if (steps < 25)
            throw new ArgumentException($"A linear schedule needs at least 25 steps, not {steps}.", nameof(steps));
        double scale = 1000.0 / steps;
        return new([.. Enumerable.Range(0, steps).Select(t => scale * (1e-4 + (0.02 - 1e-4) * t / (steps - 1)))]);
    }

    /// <summary>ᾱ follows a squared cosine with offset 0.008, β at most 0.999 (Nichol and Dhariwal 2021).</summary>
    /// <exception cref="ArgumentException">Fewer than 2 steps.</exception>
    public static NoiseSchedule Cosine(int steps)
    {
        if (steps < 2)
            throw new ArgumentException($"A schedule needs at least 2 steps, not {steps}.", nameof(steps));
        double F(int t) => Math.Pow(Math.Cos(((double)t / steps + 0.008) / 1.008 * Math.PI / 2), 2);
        return new([.. Enumerable.Range(0, steps).Select(t => Math.Min(0.999, 1 - F(t + 1) / F(t)))]);
    }

    /// <summary>The schedule of a name, <c>linear</c> or <c>cosine</c>.</summary>
    /// <exception cref="ArgumentException">Another name, or too few steps.</exception>
    public static NoiseSchedule Named(string name, int steps) => name switch
    {
        "linear" => Linear(steps),
        "cosine" => Cosine(steps),
        _ => throw new ArgumentException($"'{name}' is no noise schedule; use linear or cosine.", nameof(name)),
    };

    /// <summary>√ᾱ_t, the factor of the image in x_t.</summary>
    public double Signal(int t) => Math.Sqrt(alphaBars[t]);

    /// <summary>√(1−ᾱ_t), the factor of the noise in x_t.</summary>
    public double Noise(int t) => Math.Sqrt(1 - alphaBars[t]);

    /// <summary>x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε.</summary>
    /// <param name="image">x_0.</param>
    /// <param name="noise">ε, normal.</param>
    /// <param name="t">Step, from 0.</param>
    /// <param name="noisy">Receives x_t.</param>
    public void AddNoise(ReadOnlySpan<float> image, ReadOnlySpan<float> noise, int t, Span<float> noisy)
    {
        var (signal, deviation) = ((float)Signal(t), (float)Noise(t));
        for (int i = 0; i < noisy.Length; i++)
            noisy[i] = signal * image[i] + deviation * noise[i];
    }

    /// <summary>ᾱ of the step before, 1 before the first.</summary>
    public double AlphaBarBefore(int t) => t == 0 ? 1 : alphaBars[t - 1];
}

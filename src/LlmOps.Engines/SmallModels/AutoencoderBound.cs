namespace LlmOps.Engines.SmallModels;

/// <summary>The terms of a variational autoencoder's evidence bound, in nats (Kingma and Welling 2014).</summary>
public static class AutoencoderBound
{
    // A sigmoid in 32 bits reaches 0 and 1, whose logarithms are not finite; a mistaken pixel then costs 16 nats.
    private const double Least = 1e-7;

    /// <summary>KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² − 1 − ln σ²).</summary>
    public static double Divergence(ReadOnlySpan<float> mean, ReadOnlySpan<float> logVariance)
    {
        double sum = 0;
        for (int i = 0; i < mean.Length; i++)
            sum += 0.5 * ((double)mean[i] * mean[i] + Math.Exp(logVariance[i]) - 1 - logVariance[i]);
        return sum;
    }

    /// <summary>
    /// −ln p(image | reconstruction). Bernoulli: the expectation over binary images whose pixels are on with the gray value's probability. Squared error: a
    /// Gaussian with variance ½, its constant ½ ln π per pixel included.
    /// </summary>
    public static double NegativeLogLikelihood(ReconstructionLoss kind, ReadOnlySpan<float> reconstruction, ReadOnlySpan<float> image)
    {
        double sum = 0;
        for (int i = 0; i < image.Length; i++)
        {
            double p = Math.Clamp(reconstruction[i], Least, 1 - Least), x = image[i];
            sum += kind == ReconstructionLoss.Bernoulli ? -x * Math.Log(p) - (1 - x) * Math.Log(1 - p) : (reconstruction[i] - x) * (reconstruction[i] - x) + 0.5 * Math.Log(Math.PI);
        }
        return sum;
    }
}

using System.Text.Json.Serialization;

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// A support vector machine with a Gaussian kernel exp(−γ ‖x − y‖²), which is approximated by random Fourier features (Rahimi and Recht 2007):
/// z(x) = √(2 / D) cos(Ω x + φ) of the standardised features, and a linear machine on z, one for each label against the others.
/// </summary>
/// <param name="Features">Numbers in a row.</param>
/// <param name="RandomFeatures">D: the error of a kernel value falls with its square root.</param>
/// <param name="Labels">What the outputs mean, in their order.</param>
public sealed record KernelSvmConfig(int Features, int RandomFeatures, IReadOnlyList<string> Labels) : SmallModelConfig
{
    /// <summary>What config.json calls it.</summary>
    public const string ModelType = "kernel-svm";

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Kind => "kernel SVM";

    /// <summary>The first affine map holds standardisation, Ω and φ at once.</summary>
    public override IReadOnlyList<(string Name, long[] Shape)> Tensors() =>
        [("kernel.weight", [RandomFeatures, Features]), ("kernel.bias", [RandomFeatures]), ("svm.weight", [Labels.Count, RandomFeatures]), ("svm.bias", [Labels.Count])];

    /// <inheritdoc/>
    public override void EnsureValid()
    {
        if (Features is < 1 or > Sample.MostFeatures)
            throw new ArgumentException($"Features is {Features}; it must be 1 to {Sample.MostFeatures}.");
        if (RandomFeatures is < 1 or > 65536)
            throw new ArgumentException($"RandomFeatures is {RandomFeatures}; it must be 1 to 65536.");
        if (Labels is null || Labels.Count < 2 || Labels.Distinct(StringComparer.Ordinal).Count() != Labels.Count)
            throw new ArgumentException("A classifier needs at least two labels, each once.");
    }
}

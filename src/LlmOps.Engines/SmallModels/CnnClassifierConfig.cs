using System.Text.Json.Serialization;

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// A convolutional classifier of grey pictures: twice 3 × 3 convolution with padding, ReLU and 2 × 2 maximum, then a dense layer with ReLU and one score
/// for each label (after LeCun et al. 1998, with ReLU and maxima).
/// </summary>
/// <param name="Height">Rows of a picture, a multiple of 4.</param>
/// <param name="Width">Columns of a picture, a multiple of 4.</param>
/// <param name="FirstFilters">Output channels of the first convolution.</param>
/// <param name="SecondFilters">Output channels of the second convolution.</param>
/// <param name="HiddenSize">Width of the dense layer.</param>
/// <param name="Labels">What the outputs mean, in their order.</param>
public sealed record CnnClassifierConfig(int Height, int Width, int FirstFilters, int SecondFilters, int HiddenSize, IReadOnlyList<string> Labels) : SmallModelConfig
{
    internal const string ModelType = "cnn-classifier";

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Kind => "CNN classifier";

    /// <summary>Values after the last maximum, for one picture.</summary>
    [JsonIgnore]
    public int Flat => SecondFilters * (Height / 4) * (Width / 4);

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, long[] Shape)> Tensors() =>
    [
        ("conv1.weight", [FirstFilters, 1, 3, 3]), ("conv1.bias", [FirstFilters]), ("conv2.weight", [SecondFilters, FirstFilters, 3, 3]), ("conv2.bias", [SecondFilters]),
        ("dense.weight", [HiddenSize, Flat]), ("dense.bias", [HiddenSize]), ("head.weight", [Labels.Count, HiddenSize]), ("head.bias", [Labels.Count]),
    ];

    /// <inheritdoc/>
    public override void EnsureValid()
    {
        if (Height is < 4 or > 256 || Width is < 4 or > 256 || Height % 4 != 0 || Width % 4 != 0)
            throw new ArgumentException($"Pictures of {Width} × {Height} pixels cannot be halved twice; both sides must be multiples of 4, up to 256.");
        if (FirstFilters is < 1 or > 1024 || SecondFilters is < 1 or > 1024)
            throw new ArgumentException($"FirstFilters is {FirstFilters} and SecondFilters {SecondFilters}; both must be 1 to 1024.");
        if (HiddenSize is < 1 or > 65536)
            throw new ArgumentException($"HiddenSize is {HiddenSize}; it must be 1 to 65536.");
        if (Labels is null || Labels.Count < 2 || Labels.Distinct(StringComparer.Ordinal).Count() != Labels.Count)
            throw new ArgumentException("A classifier needs at least two labels, each once.");
    }
}

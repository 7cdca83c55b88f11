using System.Text.Json.Serialization;

namespace LlmOps.Engines.SmallModels;

/// <summary>A linear model of a number: weights · features + constant.</summary>
/// <param name="Features">Numbers in a row.</param>
public sealed record LinearRegressionConfig(int Features) : SmallModelConfig
{
    /// <summary>What config.json calls it.</summary>
    public const string ModelType = "linear-regression";

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Kind => "linear regression";

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, long[] Shape)> Tensors() => [("linear.weight", [1, Features]), ("linear.bias", [1])];

    /// <inheritdoc/>
    public override void EnsureValid()
    {
        if (Features is < 1 or > Sample.MostFeatures)
            throw new ArgumentException($"Features is {Features}; it must be 1 to {Sample.MostFeatures}.");
    }
}

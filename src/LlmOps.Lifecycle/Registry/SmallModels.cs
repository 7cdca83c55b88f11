namespace LlmOps.Lifecycle.Registry;

/// <summary>Versions that are no transformer: they are trained, exported, quantized, measured and registered as all others, and no chat can be served from them.</summary>
public static class SmallModels
{
    /// <summary>What <see cref="ModelVersion.Stage"/> says of them.</summary>
    public static IReadOnlyList<string> Stages { get; } = ["classifier", "lstm", "baseline", "autoencoder", "vae", "diffusion"];

    public static bool IsOne(ModelVersion version) => Stages.Contains(version.Stage);
}

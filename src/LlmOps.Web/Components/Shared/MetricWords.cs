namespace LlmOps.Web.Components.Shared;

/// <summary>Metrics and their units as people call them; the names in YAML, API and files stay as they are.</summary>
public static class MetricWords
{
    /// <summary>By its full name, <c>task.metric</c>; null for those whose name says it already.</summary>
    public static string? Label(string metric) => metric switch
    {
        "classification.accuracy" => "Accuracy",
        "classes.macro_f1" => "Macro F1",
        "regression.r2" => "Explained variance, R²",
        "residuals.rmse" => "Root mean squared error",
        "reconstruction.squared_error" => "Reconstruction error",
        "reconstruction_baseline.squared_error" => "Reconstruction error of the mean picture",
        "evidence_bound.bits_per_pixel" => "Evidence bound",
        "code_divergence.nats" => "Divergence of the code",
        "denoising.squared_error" => "Error of the predicted noise",
        "denoising_baseline.squared_error" => "Error of predicting no noise",
        "sample_distance.mmd2" => "Distance of samples from pictures",
        "sample_distance_baseline.mmd2" => "Distance of independent pixels from pictures",
        _ => null,
    };

    /// <summary>What the number counts, for the head of a column.</summary>
    public static string Unit(string unit) => unit switch
    {
        "per pixel" => "squared error per pixel",
        "MMD²" => "MMD², 0 for one distribution",
        "R²" => "1 explains all, 0 is the mean",
        "F1" => "mean over the classes, 0 to 1",
        "target's unit" => "in the target's unit",
        _ => unit,
    };

    /// <summary>What stands behind a number in a sentence: nothing where the metric's name is the unit, or the data has one of its own.</summary>
    public static string Suffix(string unit) => unit is "MMD²" or "R²" or "F1" or "target's unit" or "" ? "" : " " + unit;

    public static string Direction(bool higherIsBetter) => higherIsBetter ? "higher is better" : "lower is better";
}

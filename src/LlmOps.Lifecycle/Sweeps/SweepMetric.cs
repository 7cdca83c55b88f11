namespace LlmOps.Lifecycle.Sweeps;

/// <summary>Where the number comes from by which trials are compared.</summary>
/// <param name="Name">Key of a training curve, such as held_out_loss; or an evaluation's metric, such as definitions.bits_per_byte.</param>
/// <param name="Take">Of a curve: its last point or its best one.</param>
/// <param name="MeasuredBy">The evaluating stage whose metric it is; null for the training's own curve.</param>
/// <param name="Variant">The variant whose metric it is, when the stage measures several.</param>
public sealed record SweepMetric(string Name, string Take = SweepMetric.Last, string? MeasuredBy = null, string? Variant = null)
{
    public const string Last = "last";
    public const string Best = "best";
}

namespace LlmOps.Lifecycle.Tracking;

/// <summary>
/// The newest point of a metric of a run: by time, then step, then value. Kept beside the points because runs are searched and sorted by it, whatever the length
/// of their curves.
/// </summary>
public sealed class LatestMetric
{
    public Guid RunId { get; init; }
    public required string Key { get; init; }
    /// <summary>The run's experiment, so that one index finds the best runs of an experiment.</summary>
    public Guid ExperimentId { get; init; }
    public double Value { get; set; }
    public bool IsNan { get; set; }
    public long Step { get; set; }
    public DateTimeOffset At { get; set; }

    public double Number => IsNan ? double.NaN : Value;

    public bool IsOlderThan(DateTimeOffset at, long step, double value) => (At, Step, Value).CompareTo((at, step, value)) < 0;
}

namespace LlmOps.Engines.Planning;

/// <summary>What was measured of a variant; what was not is null.</summary>
/// <param name="SizeBytes">Graph and weights on disk.</param>
/// <param name="PeakMemoryBytes">Largest resident memory of a process that runs it.</param>
/// <param name="PrefillTokensPerSecond">Prompt tokens per second.</param>
/// <param name="DecodeTokensPerSecond">New tokens per second, one sequence.</param>
public sealed record MeasuredVariant(double? SizeBytes, double? PeakMemoryBytes, double? PrefillTokensPerSecond, double? DecodeTokensPerSecond);

/// <summary>One quantity as predicted and as measured.</summary>
public sealed record PlanCheckLine(string Quantity, string Unit, double Predicted, double Measured)
{
    /// <summary>Predicted over measured: 1 is right, 2 is twice too much.</summary>
    public double Ratio => Predicted / Measured;
}

/// <summary>A prediction beside what was measured: how far a plan can be trusted.</summary>
/// <param name="Precision">Name of the <see cref="WeightPrecision"/> that was planned.</param>
/// <param name="Lines">Only quantities that were measured.</param>
public sealed record PlanCheck(string Precision, IReadOnlyList<PlanCheckLine> Lines)
{
    /// <summary>Compares a plan, made for the measurement's own workload and machine, with the measurement.</summary>
    /// <param name="plan">The prediction.</param>
    /// <param name="measured">The measurement.</param>
    /// <param name="speeds">False when the machine of the plan is not the one that was measured: then only bytes are compared.</param>
    public static PlanCheck Of(PrecisionPlan plan, MeasuredVariant measured, bool speeds = true)
    {
        var lines = new List<PlanCheckLine>();
        Add("size", "bytes", plan.WeightBytes, measured.SizeBytes);
        Add("peak memory", "bytes", plan.TotalBytes, measured.PeakMemoryBytes);
        if (speeds)
        {
            Add("prefill", "tokens/s", plan.PrefillTokensPerSecond, measured.PrefillTokensPerSecond);
            Add("decode", "tokens/s", plan.DecodeTokensPerSecond, measured.DecodeTokensPerSecond);
        }
        return new(plan.Precision, lines);

        void Add(string quantity, string unit, double predicted, double? value)
        {
            if (value is > 0)
                lines.Add(new(quantity, unit, predicted, value.Value));
        }
    }
}

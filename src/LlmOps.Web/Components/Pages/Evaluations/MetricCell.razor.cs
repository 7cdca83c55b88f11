using LlmOps.Lifecycle.Evaluation;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>A measured number in a table cell; the whole interval and n on hover.</summary>
public sealed partial class MetricCell
{
    [Parameter, EditorRequired] public EvaluationMetric? Metric { get; set; }

    /// <summary>The wider half of the interval: intervals need not be symmetric.</summary>
    private static string HalfWidth(EvaluationMetric m)
    {
        var half = Math.Max(m.High - m.Value, m.Value - m.Low);
        return m.Unit switch
        {
            "bytes" => Display.Bytes((long)half),
            "share" => Display.Number(half * 100, 2) + " points",
            _ => Display.Number(half, 2),
        };
    }
}

using System.Globalization;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Promotion;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Deployments;

/// <summary>How a new revision does beside the one before, and what became of it.</summary>
public sealed partial class CanaryPanel
{
    [Parameter, EditorRequired] public CanaryRow Canary { get; set; } = null!;

    private string State => Canary.State switch { CanaryState.Passed => "Succeeded", CanaryState.RolledBack => "Failed", CanaryState.Undecided => "CannotTell", CanaryState.Stopped => "Cancelled", _ => "Running" };

    private static string Value(CanaryMeasure measure, double value) => measure.Name == "latency" ? string.Create(CultureInfo.InvariantCulture, $"{value:0} ms") : Share(value);

    private static string Share(double value) => string.Create(CultureInfo.InvariantCulture, $"{100 * value:0.0} %");

    private static string Words(Verdict verdict) => verdict switch { Verdict.Fail => "worse", Verdict.Pass => "not worse", _ => "cannot tell" };
}

using LlmOps.Lifecycle.Evaluation;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>The noise floor of a suite, metric by metric.</summary>
public sealed partial class NoiseTable
{
    [Parameter, EditorRequired] public SuiteNoise Noise { get; set; } = null!;

    /// <summary>An amount of a unit, which for shares are points and not percent.</summary>
    private static string Amount(double value, string unit) => Measured.Difference(value, unit).TrimStart('+', '±');
}

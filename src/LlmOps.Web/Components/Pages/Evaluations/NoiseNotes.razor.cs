using LlmOps.Lifecycle.Evaluation;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>Says which differences are smaller than the suite's noise.</summary>
public sealed partial class NoiseNotes
{
    /// <summary>Of the runs; the first is the one that the others are compared with.</summary>
    [Parameter, EditorRequired] public IReadOnlyList<string> Names { get; set; } = [];
    /// <summary>One list for each run but the first.</summary>
    [Parameter, EditorRequired] public IReadOnlyList<IReadOnlyList<BelowNoise>> Below { get; set; } = [];
    /// <summary>Whose repeats show the noise; null where there are none.</summary>
    [Parameter] public string? Known { get; set; }
}

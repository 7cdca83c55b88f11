using LlmOps.Engines.Planning;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Planning;

/// <summary>One line for each precision.</summary>
public sealed partial class PlanTable
{
    [Parameter, EditorRequired] public FitPlan Plan { get; set; } = null!;

    /// <summary>Three digits: a prediction has no more.</summary>
    private static string Rate(double value) => Display.Short(value, 3);
}

using LlmOps.Lifecycle.Planning;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Planning;

/// <summary>How right the planner was about variants that were measured.</summary>
public sealed partial class PlanChecks
{
    [Parameter, EditorRequired] public FitAnswer Answer { get; set; } = null!;
    [Parameter, EditorRequired] public string Version { get; set; } = "";

    private IEnumerable<string> Quantities => Answer.Checks.SelectMany(c => c.Check.Lines).Select(l => l.Quantity).Distinct();

    private static string Text(double value, string unit) => unit == "bytes" ? Display.Bytes((long)value) : $"{Display.Short(value, 3)} {unit}";
}

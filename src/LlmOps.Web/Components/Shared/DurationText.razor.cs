using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>A length of time people can compare; the milliseconds on hover.</summary>
public sealed partial class DurationText
{
    [Parameter, EditorRequired] public double Ms { get; set; }
}

using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>One line of a <see cref="FactsPanel"/>.</summary>
public sealed partial class Fact
{
    [Parameter, EditorRequired] public string Label { get; set; } = "";
    [Parameter] public RenderFragment? ChildContent { get; set; }
}

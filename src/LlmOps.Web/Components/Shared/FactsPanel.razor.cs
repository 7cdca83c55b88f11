using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>The right column of a detail page: <see cref="Fact"/> under <see cref="Fact"/>.</summary>
public sealed partial class FactsPanel
{
    [Parameter] public string Title { get; set; } = "Facts";
    [Parameter] public RenderFragment? ChildContent { get; set; }
}

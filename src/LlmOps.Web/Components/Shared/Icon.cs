using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;

namespace LlmOps.Web.Components.Shared;

/// <summary>A decorative inline icon; the word beside it (or the button's label) says what it means.</summary>
public sealed class Icon : ComponentBase
{
    /// <summary>SVG content on a 24 × 24 grid, as <c>MudBlazor.Icons.Material.Outlined.*</c> holds it.</summary>
    [Parameter, EditorRequired] public string Of { get; set; } = "";
    [Parameter] public int Size { get; set; } = 18;

    protected override void BuildRenderTree(RenderTreeBuilder builder) =>
        builder.AddMarkupContent(0, $"<svg class=\"icon\" width=\"{Size}\" height=\"{Size}\" viewBox=\"0 0 24 24\" aria-hidden=\"true\" focusable=\"false\">{Of}</svg>");
}

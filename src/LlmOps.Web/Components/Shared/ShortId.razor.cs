using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>The first characters of an id or digest, the whole on hover and on the clipboard.</summary>
public sealed partial class ShortId
{
    [Parameter, EditorRequired] public string Value { get; set; } = "";
    [Parameter] public int Length { get; set; } = 8;
    [Parameter] public string? Href { get; set; }
    [Parameter] public bool Copyable { get; set; } = true;

    private string Shown => Value.Length <= Length ? Value : Value[..Length];
}

using LlmOps.Lifecycle.Registry;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>Movable names, with what they point to.</summary>
public sealed partial class AliasChips
{
    [Parameter, EditorRequired] public IReadOnlyList<AliasPointer> Aliases { get; set; } = [];
    [Parameter, EditorRequired] public string Model { get; set; } = "";
    /// <summary>Off where the version is plain from the place.</summary>
    [Parameter] public bool ShowTarget { get; set; } = true;
}

using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>A terminal line with a copy button.</summary>
public sealed partial class CommandLine
{
    [Parameter, EditorRequired] public string Text { get; set; } = "";
}

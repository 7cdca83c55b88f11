using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>What this is, why it is empty, the one thing to do about it, and the same from a terminal.</summary>
public sealed partial class EmptyState
{
    [Parameter, EditorRequired] public string Title { get; set; } = "";
    [Parameter] public string? What { get; set; }
    [Parameter] public string? Why { get; set; }
    [Parameter] public RenderFragment? Action { get; set; }
    /// <summary>The CLI line, without prompt: <c>llmops models import ./folder</c>.</summary>
    [Parameter] public string? Command { get; set; }
}

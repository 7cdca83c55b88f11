using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>What happened, what to do, and the id under which the log knows it. Stays until it is mended.</summary>
public sealed partial class ErrorPanel
{
    [Parameter, EditorRequired] public string What { get; set; } = "";
    [Parameter] public string? Fix { get; set; }
    [Parameter] public string? RequestId { get; set; }
    [Parameter] public Func<Task>? Retry { get; set; }
}

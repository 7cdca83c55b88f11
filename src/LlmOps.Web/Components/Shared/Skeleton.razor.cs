using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>Holds the place of what is being loaded; invisible for the first 200 ms, so quick pages do not flicker.</summary>
public sealed partial class Skeleton
{
    [Parameter] public int Lines { get; set; } = 3;
    /// <summary>Height of a line in px; 40 for table rows.</summary>
    [Parameter] public int LineHeight { get; set; } = 20;
    /// <summary>One block of this height (a chart) instead of lines.</summary>
    [Parameter] public int Height { get; set; }
}

using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>One step of the breadcrumb above the page itself.</summary>
public sealed record Crumb(string Title, string Href);

/// <summary>Every page starts with one: sets the tab's title and the breadcrumb, too.</summary>
public sealed partial class PageHeader
{
    public const string BreadcrumbSection = "breadcrumb";

    [Parameter, EditorRequired] public string Title { get; set; } = "";
    /// <summary>How many there are, beside the title of a list.</summary>
    [Parameter] public long? Count { get; set; }
    /// <summary>One line: what this page is for.</summary>
    [Parameter] public string? Explanation { get; set; }
    /// <summary>The way here, without the page itself.</summary>
    [Parameter] public IReadOnlyList<Crumb>? Crumbs { get; set; }
    /// <summary>A <see cref="StateChip"/>.</summary>
    [Parameter] public RenderFragment? State { get; set; }
    /// <summary>Two or three <see cref="KeyNumber"/>.</summary>
    [Parameter] public RenderFragment? KeyNumbers { get; set; }
    /// <summary>Buttons on the right; the primary one last.</summary>
    [Parameter] public RenderFragment? Actions { get; set; }
}

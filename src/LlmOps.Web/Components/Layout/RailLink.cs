using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Routing;

namespace LlmOps.Web.Components.Layout;

/// <summary>A link of the rail, which is also active on the pages that belong to it and have an address of their own.</summary>
public sealed class RailLink : NavLink
{
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public NavigationItem Item { get; set; } = null!;

    protected override bool ShouldMatch(string uriAbsolute) =>
        base.ShouldMatch(uriAbsolute) || Item.Covers("/" + Navigation.ToBaseRelativePath(uriAbsolute));
}

using System.Security.Claims;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Layout;

/// <summary>48 px: where am I, find anything, is the page live, theme, account.</summary>
public sealed partial class TopBar
{
    [Parameter] public EventCallback OnSearch { get; set; }
    [Parameter] public EventCallback OnTheme { get; set; }

    private static string Initials(string? name)
    {
        var words = (name ?? "?").Split([' ', '.', '-', '_', '@'], StringSplitOptions.RemoveEmptyEntries);
        return string.Concat(words.Take(2).Select(w => char.ToUpperInvariant(w[0])));
    }

    private static string Roles(ClaimsPrincipal user) => string.Join(", ", user.FindAll(ClaimTypes.Role).Select(c => c.Value).Order());
}

using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Layout;

/// <summary>Sends a visitor without a session to the sign-in page and back afterwards.</summary>
public sealed class ToSignIn : ComponentBase
{
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    protected override void OnInitialized() =>
        Navigation.NavigateTo("/account/sign-in?returnUrl=" + Uri.EscapeDataString("/" + Navigation.ToBaseRelativePath(Navigation.Uri)), forceLoad: true);
}

using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Layout;

/// <summary>The frame of every signed-in page.</summary>
public sealed partial class MainLayout
{
    private PageErrorBoundary? boundary;
    private CommandPalette palette = null!;
    private bool dark;

    [Inject] private Browser Browser { get; set; } = null!;
    [CascadingParameter] private HttpContext? Http { get; set; }

    protected override void OnInitialized() => dark = Http?.Request.Cookies["theme"] == "dark";

    /// <summary>Another page starts whole, whatever happened to the last one.</summary>
    protected override void OnParametersSet() => boundary?.Recover();

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!firstRender) return;
        dark = await Browser.ThemeAsync() == "dark";
        StateHasChanged();
    }

    private async Task SwitchThemeAsync() => dark = await Browser.ToggleThemeAsync() == "dark";
}

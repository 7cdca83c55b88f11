using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Routing;
using Microsoft.AspNetCore.Components.Web;

namespace LlmOps.Web.Components;

public sealed partial class App
{
    private bool dark;

    [CascadingParameter] private HttpContext Http { get; set; } = null!;

    /// <summary>Pages that opt out (sign-in, setup) are plain forms: they set cookies, which a circuit cannot.</summary>
    private IComponentRenderMode? Mode => Http.AcceptsInteractiveRouting() ? RenderMode.InteractiveServer : null;

    protected override void OnInitialized() => dark = Http.Request.Cookies["theme"] == "dark";
}

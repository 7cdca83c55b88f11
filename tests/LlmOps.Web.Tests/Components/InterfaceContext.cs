using Bunit;
using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Tests.Components;

/// <summary>Shared components as a page has them; the browser's side answers everything with nothing.</summary>
public abstract class InterfaceContext : BunitContext
{
    protected InterfaceContext()
    {
        Services.AddComponentServices();
        JSInterop.Mode = JSRuntimeMode.Loose;
        JSInterop.SetupModule("./js/shell.js").Mode = JSRuntimeMode.Loose;
    }
}

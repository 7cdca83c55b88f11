using LlmOps.Lifecycle.Messaging;
using Microsoft.Extensions.DependencyInjection.Extensions;
using MudBlazor.Services;

namespace LlmOps.Web.Components.Shared;

public static class InterfaceSetup
{
    /// <summary>Everything the pages themselves need, and nothing of the product.</summary>
    public static IServiceCollection AddInterface(this IServiceCollection services)
    {
        services.AddRazorComponents().AddInteractiveServerComponents();
        return services.AddComponentServices().AddScoped<ISearchSource, Pages.Home.RecordSearch>();
    }

    /// <summary>What the shared components inject, without a web server around them.</summary>
    public static IServiceCollection AddComponentServices(this IServiceCollection services)
    {
        services.AddMudServices();
        services.AddCascadingAuthenticationState();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<LiveChanges>();
        services.AddScoped<Browser>();
        services.AddScoped<ISearchSource, PageSearch>();
        return services;
    }
}

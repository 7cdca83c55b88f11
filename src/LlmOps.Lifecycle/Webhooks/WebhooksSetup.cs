using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmOps.Lifecycle.Webhooks;

internal static class WebhooksSetup
{
    /// <summary>Other programs are told what happens here.</summary>
    public static void AddWebhooks(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(WebhookSettings.Read(configuration));
        services.TryAddSingleton(SecretVault.Plain);
        services.AddSingleton<CallEndpoint>();
        services.AddSingleton<SendWebhooks>();
        services.AddSingleton<ManageWebhooks>();
        services.AddSingleton<TestWebhook>();
        services.AddSingleton<ReplayDelivery>();
        services.AddSingleton<ReadWebhooks>();
    }
}

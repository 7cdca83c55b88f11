using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Lifecycle.Messaging;

public static class BusSetup
{
    /// <summary>Bus:Transport is "Memory" (one process) or "RabbitMq" with Bus:Uri.</summary>
    public static IServiceCollection AddBus(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton<LiveChanges>();
        services.AddSingleton(s => new Hints(s.GetRequiredService<IBus>(), s.GetRequiredService<LiveChanges>(), s.GetService<Microsoft.Extensions.Logging.ILogger<Hints>>()));
        var transport = configuration["Bus:Transport"] ?? "Memory";
        var uri = configuration["Bus:Uri"];
        services.AddReceiveEndpointObserver<ConnectionObserver>();
        services.AddMassTransit(x =>
        {
            x.SetKebabCaseEndpointNameFormatter();
            // By default it reports to its maker. Nothing leaves this product for another host unasked.
            x.DisableUsageTelemetry();
            x.AddConsumer<HintConsumer, HintConsumerDefinition>();
            switch (transport.ToLowerInvariant())
            {
                case "memory":
                    x.UsingInMemory((context, bus) => bus.ConfigureEndpoints(context));
                    break;
                case "rabbitmq":
                    if (!Uri.TryCreate(uri, UriKind.Absolute, out var address))
                        throw new InvalidOperationException("Bus:Transport is RabbitMq but Bus:Uri is no address. Set Bus__Uri, for example 'amqp://user:password@127.0.0.1:5672/'.");
                    x.UsingRabbitMq((context, bus) => { bus.Host(address); bus.ConfigureEndpoints(context); });
                    break;
                default:
                    throw new InvalidOperationException($"Bus:Transport is '{transport}'. Allowed values: Memory, RabbitMq.");
            }
        });
        // A broker that is down at start must not keep the product from starting.
        services.Configure<MassTransitHostOptions>(o => { o.WaitUntilStarted = false; o.StopTimeout = TimeSpan.FromSeconds(5); });
        return services;
    }
}

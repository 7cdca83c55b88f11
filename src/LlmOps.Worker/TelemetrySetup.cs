using System.Diagnostics;
using LlmOps.Lifecycle.Tracing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace LlmOps.Worker;

public static class TelemetrySetup
{
    public const string EndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Sends this process's own spans where the standard variables of OpenTelemetry say; without an address nothing is collected.</summary>
    public static void AddTelemetry(this IServiceCollection services, IConfiguration configuration, string serviceName)
    {
        if (string.IsNullOrWhiteSpace(configuration[EndpointVariable]))
            return;
        // ASP.NET Core describes its spans (path, method, status) only when it is told to before the host starts.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        services.AddOpenTelemetry().ConfigureResource(r => r.AddService(configuration["OTEL_SERVICE_NAME"] ?? serviceName))
            .WithTracing(t => t.AddSource(EmittedSpans.SourceName, "Microsoft.AspNetCore").AddProcessor(new OwnTraffic()).AddOtlpExporter());
    }

    /// <summary>A server that is told to send to itself, or to one that sends to it, must not report that it was reported to.</summary>
    private sealed class OwnTraffic : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data)
        {
            if (data.GetTagItem("url.path") is string path && (path.StartsWith("/v1/traces", StringComparison.Ordinal) || path.StartsWith("/api/public/otel", StringComparison.Ordinal) || path is "/metrics" || path.StartsWith("/health", StringComparison.Ordinal)))
                data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }
    }
}

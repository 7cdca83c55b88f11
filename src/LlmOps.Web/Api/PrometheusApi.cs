using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Monitoring;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api;

/// <summary>What Prometheus scrapes, with a token that may read.</summary>
public static class PrometheusApi
{
    public const string Address = "/metrics";

    public static void MapPrometheus(this WebApplication app) => app.MapGet(Address, async (HttpRequest request, ReadMetrics read, CancellationToken ct) =>
    {
        var openMetrics = request.Headers.Accept.ToString().Contains("application/openmetrics-text", StringComparison.OrdinalIgnoreCase);
        return Results.Text(MetricText.Write(await read.ReadAsync(ct), openMetrics), openMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8");
    }).RequirePermission(Permission.Read).WithTags("Monitoring").WithSummary("Metrics for Prometheus, as text or OpenMetrics.");
}

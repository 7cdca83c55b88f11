using LlmOps.Lifecycle;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>The REST API of MLflow, so that what people have already logs to this server, registers in it and reads from it. docs/mlflow-compatibility.md is its table.</summary>
public static class MlflowApi
{
    /// <summary>The version whose API this is. Clients look at its first number.</summary>
    public const string Version = "3.6.0";

    private sealed record Server(string StoreType, bool WorkspacesEnabled);

    public static void MapMlflow(this WebApplication app)
    {
        var routes = new MlflowRoutes(app);
        routes.MapExperiments();
        routes.MapRuns();
        routes.MapMetrics();
        routes.MapArtifacts();
        routes.MapArtifactParts();
        routes.MapArtifactGrants();
        routes.MapLoggedModels();
        routes.MapRegisteredModels();
        routes.MapModelVersions();
        routes.MapWebhooks();
        routes.MapTraces();
        routes.MapTraceMetrics();
        routes.MapTracesV2();
        routes.MapAssessments();
        routes.MapEvaluationDatasets();
        routes.MapMissing();
        MapProbes(routes);
    }

    /// <summary>Clients ask these before they have a token to send, and wait three seconds for an answer.</summary>
    private static void MapProbes(MlflowRoutes routes)
    {
        routes.At("GET", "/health", null, c => TextAsync(c, "OK"));
        routes.At("GET", "/version", null, c => TextAsync(c, Version));
        foreach (var prefix in new[] { "/api", "/ajax-api" })
            routes.At("GET", $"{prefix}/3.0/mlflow/server-info", null, c => c.Http.Response.WriteAsJsonAsync(new Server("SqlStore", false), MlflowJson.Options, c.Aborted));
    }

    private static Task TextAsync(MlflowCall call, string text)
    {
        call.Http.Response.ContentType = "text/plain; charset=utf-8";
        return call.Http.Response.WriteAsync(text, call.Aborted);
    }
}

using LlmOps.Lifecycle;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public static class ApiV1
{
    /// <summary>The product's own API: every address calls one read or one use case. Reading is what an address asks for unless it says more.</summary>
    public static void MapApiV1(this WebApplication app)
    {
        var v1 = app.MapGroup("/api/v1");
        v1.RequireReadByDefault();
        v1.MapModels();
        v1.MapPlanning();
        v1.MapDatasets();
        v1.MapTracking();
        v1.MapPipelines();
        v1.MapSweeps();
        v1.MapSchedules();
        v1.MapEvaluations();
        v1.MapSuites();
        v1.MapContamination();
        v1.MapGates();
        v1.MapJudges();
        v1.MapPromotion();
        v1.MapAttestations();
        v1.MapDeployments();
        v1.MapKnowledge();
        v1.MapTraces();
        v1.MapSessions();
        v1.MapDrift();
        v1.MapPeople();
        v1.MapWebhooks();
        v1.MapGet("/search", (string q, int? take, SearchEverything search, CancellationToken ct) => search.FindAsync(q, Math.Clamp(take ?? 5, 1, 50), ct))
            .WithTags("Search").WithSummary("Finds anything by a part of its name.");
    }
}

using System.Security.Claims;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing.Drift;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

/// <param name="Policy">Null keeps the one that the deployment has, the usual one at first.</param>
public sealed record DriftWatchRequest(bool Enabled = true, DriftPolicy? Policy = null);

public static class DriftApi
{
    public static void MapDrift(this IEndpointRouteBuilder v1)
    {
        var drift = v1.MapGroup("/deployments/{name}/drift").WithTags("Drift");
        drift.MapGet("", (string name, int? checks, ReadDrift read, CancellationToken ct) => read.GetAsync(name, checks ?? 30, ct)).WithSummary("How the traffic of a deployment compares with its past: the checks that were made, newest first, and how it is watched.");
        drift.MapPost("", (string name, WatchDrift watch, ClaimsPrincipal user, CancellationToken ct) => watch.LookAsync(name, user.ToActor(), ct))
            .RequirePermission(Permission.Deploy).WithSummary("Compares the newest traces with those before, now, and keeps the report.");
        drift.MapPut("", async (string name, DriftWatchRequest body, SetDriftWatch set, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await set.SetAsync(name, body.Policy, body.Enabled, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Deploy).WithSummary("Has it looked at by the clock, or no longer.");
    }
}

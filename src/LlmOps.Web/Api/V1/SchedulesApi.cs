using System.Security.Claims;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public static class SchedulesApi
{
    public static void MapSchedules(this IEndpointRouteBuilder v1)
    {
        var schedules = v1.MapGroup("/schedules").WithTags("Schedules");
        schedules.MapGet("", (string? pipeline, ReadSchedules read, CancellationToken ct) => read.ListAsync(pipeline, ct)).WithSummary("Pipelines that start by the clock.");
        schedules.MapPost("", async (ScheduleRequest body, ManageSchedules manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var schedule = await manage.CreateAsync(body.Name, body.Pipeline, body.Cron, body.TimeZone, user.ToActor(), ct);
            return Results.Created("/api/v1/schedules", schedule);
        }).RequirePermission(Permission.RunPipelines).WithSummary("Makes a schedule: cron in five fields, in its time zone.");
        schedules.MapPut("/{id:guid}", async (Guid id, EnableRequest body, ManageSchedules manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.EnableAsync(id, body.Enabled, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Turns a schedule on or off.");
        schedules.MapDelete("/{id:guid}", async (Guid id, ManageSchedules manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.DeleteAsync(id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Deletes a schedule.");
    }
}

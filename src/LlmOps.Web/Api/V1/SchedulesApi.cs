using System.Security.Claims;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public static class SchedulesApi
{
    public static void MapSchedules(this IEndpointRouteBuilder v1)
    {
        var schedules = v1.MapGroup("/schedules").WithTags("Schedules");
        schedules.MapGet("", (string? pipeline, ReadSchedules read, CancellationToken ct) => read.ListAsync(pipeline, ct)).WithSummary("Pipelines and regression checks that start by the clock.");
        schedules.MapPost("", async (ScheduleRequest body, ManageSchedules manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var schedule = await manage.CreateAsync(body, user.ToActor(), ct);
            return Results.Created("/api/v1/schedules", schedule);
        }).RequirePermission(Permission.RunPipelines).WithSummary("Makes a schedule: cron in five fields, in its time zone; of a pipeline or of a regression check.");
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
        schedules.MapPost("/{id:guid}/firings", (Guid id, FireSchedules fire, ClaimsPrincipal user, CancellationToken ct) => fire.RunNowAsync(id, user.ToActor(), ct))
            .RequirePermission(Permission.RunPipelines).WithSummary("Starts it now; the next due time stays as it is.");
        schedules.MapGet("/{id:guid}/firings", (Guid id, int? take, ReadSchedules read, CancellationToken ct) => read.FiringsAsync(id, take: Math.Clamp(take ?? 100, 1, 1000), ct: ct)).WithSummary("What became of its due times, newest first.");
        schedules.MapGet("/firings", (long? from, long? to, ReadSchedules read, CancellationToken ct) => read.FiringsAsync(null, Time(from), Time(to), ct: ct)).WithName("GetSchedulesAllFirings").WithSummary("Firings of all schedules that were due between two times, in Unix milliseconds.");
        schedules.MapGet("/next", (string cron, string timeZone, int? count, TimeProvider time) => ScheduleTimes.Upcoming(cron, timeZone, time.GetUtcNow(), Math.Clamp(count ?? 5, 1, 100))).WithSummary("The next times of a cron expression.");
        MapAlerts(v1.MapGroup("/alert-rules").WithTags("Alerts"));
        MapIncidents(v1.MapGroup("/incidents").WithTags("Incidents"));
        v1.MapGet("/notifications", (int? take, ReadAlerts read, CancellationToken ct) => read.NotificationsAsync(Math.Clamp(take ?? 100, 1, 1000), ct)).WithTags("Alerts").WithSummary("What the rules have said, newest first, and whether it arrived.");
    }

    private static void MapAlerts(RouteGroupBuilder rules)
    {
        rules.MapGet("", (ReadAlerts read, CancellationToken ct) => read.RulesAsync(ct)).WithSummary("Alert rules.");
        rules.MapPost("", async (NewAlertRule body, ManageAlertRules manage, ClaimsPrincipal user, CancellationToken ct) => Results.Created("/api/v1/alert-rules", await manage.CreateAsync(body, user.ToActor(), ct)))
            .RequirePermission(Permission.RunPipelines).WithSummary("Makes a rule: a condition (fail, cannot-tell, trend, failed, missed) and channels (page, email, webhook).");
        rules.MapPut("/{id:guid}", async (Guid id, EnableRequest body, ManageAlertRules manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.EnableAsync(id, body.Enabled, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Turns a rule on or off.");
        rules.MapPatch("/{id:guid}", async (Guid id, NewAlertRule body, ManageAlertRules manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.ChangeAsync(id, body, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Changes what a rule watches and whom it tells; its name stays.");
        rules.MapPost("/{id:guid}/test", async (Guid id, ManageAlertRules manage, ClaimsPrincipal user, CancellationToken ct) => Results.Ok(new { sent = await manage.TestAsync(id, user.ToActor(), ct) }))
            .RequirePermission(Permission.RunPipelines).WithSummary("Sends one message over each channel of the rule; whether it arrived is under /notifications.");
        rules.MapDelete("/{id:guid}", async (Guid id, ManageAlertRules manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.DeleteAsync(id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Deletes a rule.");
    }

    private static void MapIncidents(RouteGroupBuilder incidents)
    {
        incidents.MapGet("", (bool? open, ReadIncidents read, CancellationToken ct) => read.ListAsync(open == true, ct: ct)).WithSummary("Regressions, open ones first.");
        incidents.MapGet("/{id:guid}", (Guid id, ReadIncidents read, CancellationToken ct) => read.GetAsync(id, ct)).WithSummary("One regression with the rows that broke.");
        incidents.MapPost("/{id:guid}/acknowledge", async (Guid id, HandleIncident handle, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await handle.AcknowledgeAsync(id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequireMoreThanRead().WithSummary("Says that somebody looks at it.");
        incidents.MapPost("/{id:guid}/resolve", async (Guid id, NoteRequest body, HandleIncident handle, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await handle.ResolveAsync(id, body.Note, user.ToActor(), ct);
            return Results.NoContent();
        }).RequireMoreThanRead().WithSummary("Closes it with a note.");
    }

    private static DateTimeOffset? Time(long? milliseconds) => milliseconds is { } ms ? DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(ms, 0, 253_402_300_799_999)) : null;
}

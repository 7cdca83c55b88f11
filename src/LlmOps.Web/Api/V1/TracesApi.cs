using System.Security.Claims;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public static class TracesApi
{
    public static void MapTraces(this IEndpointRouteBuilder v1)
    {
        var traces = v1.MapGroup("/traces").WithTags("Traces");
        traces.MapGet("", ([AsParameters] ListParameters list, string? deployment, string? kind, string? outcome, string? feedback, ReadTraces read, CancellationToken ct) =>
            read.ListAsync(new(list.Q, deployment, kind, outcome, feedback), list.From, list.Most, ct)).WithSummary("Traces, newest first. outcome: failed or answered; feedback: up or down.");
        traces.MapGet("/{id}", (string id, ReadTraces read, CancellationToken ct) => read.GetAsync(id, ct)).WithSummary("One trace with its spans and feedback.");
        traces.MapPost("/{id}/feedback", async (string id, FeedbackRequest body, GiveFeedback give, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await give.GiveAsync(id, body.Score, body.Comment, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Chat).WithSummary("Your feedback, 1 or -1; giving it again replaces it.");
    }
}

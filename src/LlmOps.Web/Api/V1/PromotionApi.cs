using System.Security.Claims;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public sealed record Requested(Guid Id, ApprovalState State, string EvidenceDigest, DateTimeOffset ExpiresAt);

public static class PromotionApi
{
    public static void MapPromotion(this IEndpointRouteBuilder v1)
    {
        var approvals = v1.MapGroup("/approvals").WithTags("Promotion");
        approvals.MapGet("", ([AsParameters] ListParameters list, bool? waiting, ReadApprovals read, CancellationToken ct) => read.ListAsync(waiting ?? true, list.Q, list.From, list.Most, ct))
            .WithSummary("Requests that wait (waiting=true, the one that expires next first) or were decided.");
        approvals.MapGet("/{id:guid}", (Guid id, ReadApprovals read, CancellationToken ct) => read.GetAsync(id, ct)).WithSummary("One request with its evidence.");
        approvals.MapPost("/{id:guid}/approve", async (Guid id, DecisionRequest body, DecideApproval decide, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await decide.ApproveAsync(id, body.Comment ?? "", user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Approve).WithSummary("Approves, and moves the alias. Not for the one who asked.");
        approvals.MapPost("/{id:guid}/reject", async (Guid id, DecisionRequest body, DecideApproval decide, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await decide.RejectAsync(id, body.Comment ?? "", user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Approve).WithSummary("Rejects, with a comment.");
        v1.MapPost("/promotions", async (PromotionRequest body, RequestPromotion promote, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var request = await promote.RequestAsync(body.Version, body.Variant, body.Alias, user.ToActor(), ct);
            return Results.Created($"/api/v1/approvals/{request.Id}", new Requested(request.Id, request.State, request.EvidenceDigest, request.ExpiresAt));
        }).RequirePermission(Permission.WriteModels).WithTags("Promotion").WithSummary("Asks for an alias to move to a variant of a version.");
    }
}

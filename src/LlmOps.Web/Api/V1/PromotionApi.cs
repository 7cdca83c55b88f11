using System.Security.Claims;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
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
            await decide.ApproveAsync(id, body.Comment ?? "", body.EvidenceDigest, user.ToActor(), ct);
            return Results.NoContent();
        }).RequireSigner().WithSummary("Signs the evidence; the last signature that is needed moves the alias. Not for the one who asked.");
        approvals.MapPost("/{id:guid}/reject", async (Guid id, DecisionRequest body, DecideApproval decide, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await decide.RejectAsync(id, body.Comment ?? "", user.ToActor(), ct);
            return Results.NoContent();
        }).RequireSigner().WithSummary("Rejects, with a comment.");
        approvals.MapPost("/{id:guid}/withdraw", async (Guid id, DecisionRequest body, WithdrawApproval withdraw, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await withdraw.WithdrawAsync(id, body.Comment ?? "", user.ToActor(), ct);
            return Results.NoContent();
        }).RequireMoreThanRead().WithSummary("Takes a request back. Only for the one who asked.");
        approvals.MapPost("/{id:guid}/comments", async (Guid id, CommentRequest body, CommentOnApproval comment, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await comment.CommentAsync(id, body.Text, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Annotate).WithSummary("Says something without deciding.");
        v1.MapPost("/promotions", async (PromotionRequest body, RequestPromotion promote, ClaimsPrincipal user, CancellationToken ct) =>
            Created(await promote.RequestAsync(new PromotionOrder(body.Version, body.Variant, body.Alias, body.Kind, body.Reason), user.ToActor(), ct)))
            .RequireMoreThanRead().WithTags("Promotion").WithSummary("Asks for an alias to move to a variant of a version. Engineers ask; for an override, whoever may approve.");
        v1.MapPost("/rollbacks", async (RollbackRequest body, RequestRollback rollback, ClaimsPrincipal user, CancellationToken ct) =>
            Created(await rollback.RequestAsync(body.Model, body.Alias, body.Reason, user.ToActor(), ct)))
            .RequirePermission(Permission.Annotate).WithTags("Promotion").WithSummary("Asks for an alias to go back to what it held before. One approval moves it.");
        v1.MapGet("/models/{name}/aliases/{alias}/at", async (string name, string alias, DateTimeOffset? at, ReadAliasHistory read, TimeProvider clock, CancellationToken ct) =>
            await read.AtAsync(name, alias, at ?? clock.GetUtcNow(), ct) is { } holder ? Results.Ok(holder) : Results.NoContent())
            .WithTags("Promotion").WithSummary("What an alias held at a time, on whose word, on which evidence. Without content: nothing.");
        v1.MapGet("/models/{name}/environments", (string name, ReadAliasHistory read, CancellationToken ct) => read.EnvironmentsAsync(name, ct)).WithTags("Promotion").WithSummary("The model's environments in order, with their rules.");
        v1.MapPut("/models/{name}/environments", async (string name, List<ModelEnvironment> body, DefineEnvironments define, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await define.DefineAsync(name, body, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Administer).WithTags("Promotion").WithSummary("Sets the environments of a model.");
        Delegations(v1.MapGroup("/delegations").WithTags("Promotion"));
    }

    private static void Delegations(RouteGroupBuilder delegations)
    {
        delegations.MapGet("", (ReadApprovals read, ClaimsPrincipal user, CancellationToken ct) => read.DelegationsAsync(user.ToActor(), ct)).WithSummary("Those you gave or got.");
        delegations.MapPost("", async (DelegationRequest body, ManageDelegations manage, ClaimsPrincipal user, CancellationToken ct) =>
            Results.Ok(await manage.CreateAsync(body.To, body.StartsAt, body.EndsAt, body.Reason, user.ToActor(), ct)))
            .RequirePermission(Permission.Approve).WithSummary("Lets somebody sign in your place for some days.");
        delegations.MapPost("/{id:guid}/revoke", async (Guid id, ManageDelegations manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.RevokeAsync(id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Approve).WithSummary("Ends a delegation now.");
    }

    private static IResult Created(ApprovalRequest request) =>
        Results.Created($"/api/v1/approvals/{request.Id}", new Requested(request.Id, request.State, request.EvidenceDigest, request.ExpiresAt));
}

using System.Security.Claims;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public sealed record WhoAmI(Guid Id, string Name, IReadOnlyList<Permission> Permissions, string By);

/// <param name="SetupPath">Where a person made without a password chooses one, once.</param>
public sealed record NewPerson(Guid Id, string UserName, string? SetupPath);

/// <param name="Secret">The token itself: shown now and never again.</param>
public sealed record MadeToken(Guid Id, string Name, string Prefix, string Secret, DateTimeOffset? ExpiresAt);

public static class PeopleApi
{
    public static void MapPeople(this IEndpointRouteBuilder v1)
    {
        v1.MapGet("/whoami", (ClaimsPrincipal user) =>
        {
            var actor = user.ToActor();
            return new WhoAmI(actor.Id, actor.Name, [.. actor.Permissions.Order()], user.Identity?.AuthenticationType == TokenAuthentication.Scheme ? "token" : "session");
        }).WithTags("People").WithSummary("Who you are here, and what you may do.").RequireAuthorization();
        MapAccounts(v1.MapGroup("/people").WithTags("People"));
        MapTokens(v1.MapGroup("/tokens").WithTags("People"));
        v1.MapGet("/audit", ([AsParameters] ListParameters list, string? actor, string? subject, string? action, string? id, ReadAudit read, CancellationToken ct) =>
            read.ListAsync(new(actor, subject, action, list.Q, id), list.From, list.Most, ct)).WithTags("Audit").WithSummary("Who changed what, newest first.");
        v1.MapGet("/audit/verify", (string[]? head, VerifyAudit verify, CancellationToken ct) =>
            verify.VerifyAsync([.. (head ?? []).Select(AuditHeadNote.Parse)], ct)).WithTags("Audit").WithSummary("Reads the whole chain and says whether an entry was edited, deleted, slipped in or moved.");
        v1.MapGet("/audit/head", (VerifyAudit verify, CancellationToken ct) => verify.HeadAsync(ct)).WithTags("Audit").WithSummary("The end of the chain, to be noted elsewhere.");
        v1.MapGet("/audit/export", async (HttpResponse response, VerifyAudit verify, CancellationToken ct) =>
        {
            response.ContentType = "application/jsonl";
            response.Headers.ContentDisposition = "attachment; filename=audit.jsonl";
            await foreach (var entry in verify.ExportAsync(ct))
                await response.WriteAsync(System.Text.Json.JsonSerializer.Serialize(entry, Lifecycle.Data.Json.Options) + "\n", ct);
        }).WithTags("Audit").WithSummary("Every entry in the order of the chain, one JSON object a line, for 'llmops audit verify --file'.");
    }

    private static void MapAccounts(RouteGroupBuilder people)
    {
        people.MapGet("/{id:guid}/tokens", (Guid id, ReadPeople read, CancellationToken ct) => read.TokensAsync(id, ct)).RequirePermission(Permission.Administer).WithSummary("Somebody's API tokens.");
        people.MapGet("", (ReadPeople read, CancellationToken ct) => read.ListAsync(ct)).RequirePermission(Permission.Administer).WithSummary("Accounts with their roles.");
        people.MapPost("", async (NewPersonRequest body, ManagePeople manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var person = await manage.CreateAsync(body.UserName, body.DisplayName, body.Password, body.Roles, user.ToActor(), ct);
            var token = body.Password is null ? await manage.CreateSetupTokenAsync(person.Id, user.ToActor(), ct) : null;
            return Results.Created("/api/v1/people", new NewPerson(person.Id, person.UserName!, token is null ? null : $"/account/setup?token={token}"));
        }).RequirePermission(Permission.Administer).WithSummary("Makes an account; without a password it answers with a one-time link to choose one.");
        people.MapPut("/{id:guid}", async (Guid id, PersonRequest body, ManagePeople manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.ChangeAsync(id, body.Roles, body.Disabled, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Administer).WithSummary("Sets the roles, disables or enables. Open sessions end within a minute.");
    }

    private static void MapTokens(RouteGroupBuilder tokens)
    {
        tokens.MapGet("", (ReadPeople read, ClaimsPrincipal user, CancellationToken ct) => read.TokensAsync(user.ToActor().Id, ct)).WithSummary("Your API tokens.");
        tokens.MapPost("", async (TokenRequest body, ManageTokens manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var made = await manage.CreateAsync(body.Name, body.Scopes, body.ExpiresAt, user.ToActor(), body.Limits, ct);
            return Results.Created("/api/v1/tokens", new MadeToken(made.Token.Id, made.Token.Name, made.Token.Prefix, made.Secret, made.Token.ExpiresAt));
        }).RequireMoreThanRead().WithSummary("Makes an API token that can do what its scopes say, and never more than you.");
        tokens.MapPut("/{id:guid}/limits", async (Guid id, TokenLimits body, ManageTokens manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.LimitAsync(id, body, user.ToActor(), ct);
            return Results.NoContent();
        }).RequireMoreThanRead().WithSummary("Sets how much a token may ask of the models; null takes the server's setting, 0 is no limit.");
        tokens.MapDelete("/{id:guid}", async (Guid id, ManageTokens manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.RevokeAsync(id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequireMoreThanRead().WithSummary("Revokes a token.");
    }
}

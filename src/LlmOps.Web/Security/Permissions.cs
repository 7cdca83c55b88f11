using System.Security.Claims;
using LlmOps.Lifecycle.Identity;
using Microsoft.AspNetCore.Authorization;

namespace LlmOps.Web.Security;

/// <summary>The bridge from a signed-in principal to the product's actor. Roles and scopes become permissions here and nowhere else in Web.</summary>
public static class Permissions
{
    public const string ScopeClaim = "llmops:permission";
    private const string Policy = "may:";

    private static readonly Actor Nobody = new(Guid.Empty, "nobody", new HashSet<Permission>());

    /// <summary>Somebody who is not signed in may do nothing.</summary>
    public static Actor ToActor(this ClaimsPrincipal user)
    {
        if (user.Identity is not { IsAuthenticated: true } || !Guid.TryParse(user.FindFirstValue(ClaimTypes.NameIdentifier), out var id))
            return Nobody;
        var name = user.Identity.Name ?? "";
        return user.Identity.AuthenticationType == TokenAuthentication.Scheme
            ? new(id, name, user.FindAll(ScopeClaim).Select(c => Enum.Parse<Permission>(c.Value)).ToHashSet())
            : Actor.WithRoles(id, name, user.FindAll(ClaimTypes.Role).Select(c => c.Value));
    }

    public static void AddPermissionPolicies(this IServiceCollection services)
    {
        var authorization = services.AddAuthorizationBuilder()
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
        foreach (var permission in Enum.GetValues<Permission>())
            authorization.AddPolicy(Policy + permission, p => p.RequireAuthenticatedUser().RequireAssertion(c => c.User.ToActor().May(permission)));
        authorization.AddPolicy(SignersPolicy, p => p.RequireAuthenticatedUser().RequireAssertion(c => c.User.ToActor() is var actor && (actor.May(Permission.Approve) || (c.User.Identity?.AuthenticationType != TokenAuthentication.Scheme && MayChange(actor)))));
        authorization.AddPolicy(ReadOrChatPolicy, p => p.RequireAuthenticatedUser().RequireAssertion(c => c.User.ToActor() is var actor && (actor.May(Permission.Read) || actor.May(Permission.Chat))));
        authorization.AddPolicy(ChangesPolicy, p => p.RequireAuthenticatedUser().RequireAssertion(c => MayChange(c.User.ToActor())));
    }

    private static bool MayChange(Actor actor) => actor.Permissions.Any(p => p != Permission.Read);

    private const string ReadOrChatPolicy = "may-read-or-chat";
    private const string ChangesPolicy = "may-change-something";
    private const string SignersPolicy = "may-sign";

    /// <summary>Checked before the body is read: somebody without the permission learns nothing about what the request would have done.</summary>
    public static T RequirePermission<T>(this T endpoints, Permission permission) where T : IEndpointConventionBuilder =>
        endpoints.RequireAuthorization(Policy + permission);

    /// <summary>For what a token that only chats has to know.</summary>
    public static T RequireReadOrChat<T>(this T endpoints) where T : IEndpointConventionBuilder => endpoints.RequireAuthorization(ReadOrChatPolicy);

    /// <summary>For what belongs to the actor alone: anybody but a mere reader.</summary>
    public static T RequireMoreThanRead<T>(this T endpoints) where T : IEndpointConventionBuilder => endpoints.RequireAuthorization(ChangesPolicy);

    /// <summary>Who may approve, and a person at a keyboard, no mere reader, in whose hands somebody put it; whether they did, the use case finds out. A token never signs in another's place.</summary>
    public static T RequireSigner<T>(this T endpoints) where T : IEndpointConventionBuilder => endpoints.RequireAuthorization(SignersPolicy);

    /// <summary>Every endpoint of the group that asks for no permission of its own asks for reading.</summary>
    public static void RequireReadByDefault(this IEndpointConventionBuilder group) => group.Finally(endpoint =>
    {
        if (!endpoint.Metadata.OfType<IAuthorizeData>().Any())
            endpoint.Metadata.Add(new AuthorizeAttribute(Policy + Permission.Read));
    });
}

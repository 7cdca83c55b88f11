using System.Security.Claims;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Security;

namespace LlmOps.Web.Serving;

/// <summary>Whose limits hold, and who takes turns with others: a program by its token, a session by its person.</summary>
public sealed record ServingClient(string Name, TokenLimits Limits)
{
    public static ServingClient Of(ClaimsPrincipal user) => user.FindFirstValue(TokenAuthentication.IdClaim) is { } token ? new($"token:{token}", TokenAuthentication.LimitsOf(user)) : Of(user.ToActor());

    public static ServingClient Of(Actor actor) => new($"person:{actor.Id:N}", TokenLimits.None);
}

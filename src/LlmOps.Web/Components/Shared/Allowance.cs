using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Components.Shared;

/// <summary>Why an action is disabled for the person who looks. The use case behind it refuses in any case; this only says so before the click.</summary>
public static class Allowance
{
    /// <summary>Null when the actor may.</summary>
    public static string? Objection(this Actor actor, Permission permission) => actor.May(permission)
        ? null
        : $"Your role does not allow this. Roles that do: {string.Join(", ", Roles.All.Where(r => Roles.PermissionsOf(r).Contains(permission)))}.";

    public static long Ms(this DateTimeOffset at) => at.ToUnixTimeMilliseconds();
}

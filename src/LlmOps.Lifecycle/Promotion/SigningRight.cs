using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <param name="Signatures">Those the request has already.</param>
/// <param name="Delegations">Those that name the actor and whose giver still may decide.</param>
public sealed record SigningContext(IReadOnlyList<ApprovalSignature> Signatures, IReadOnlyList<Delegation> Delegations)
{
    public static SigningContext None { get; } = new([], []);

    internal static async Task<SigningContext> LoadAsync(LlmOpsDb db, ApprovalRequest request, Actor actor, CancellationToken ct)
    {
        var signatures = await db.ApprovalSignatures.AsNoTracking().Where(s => s.ApprovalId == request.Id).OrderBy(s => s.At).ToListAsync(ct);
        var roles = SigningRight.RolesFor(request);
        // Who has lost the role, or the account, has nothing to hand on.
        var delegations = await (from d in db.Delegations.AsNoTracking()
                                 where d.ToId == actor.Id && d.RevokedAt == null
                                     && db.Users.Any(u => u.Id == d.FromId && !u.Disabled)
                                     && db.UserRoles.Any(ur => ur.UserId == d.FromId && db.Roles.Any(r => r.Id == ur.RoleId && roles.Contains(r.Name!)))
                                 orderby d.CreatedAt
                                 select d).ToListAsync(ct);
        return new(signatures, delegations);
    }
}

/// <summary>Whether somebody may sign a request, in whose name, and why not. Pure.</summary>
/// <param name="Objection">Null when they may.</param>
/// <param name="Denied">The objection is about who they are, not about the state of the request.</param>
public sealed record SigningRight(string? Objection, bool Denied = false, Delegation? InPlaceOf = null)
{
    public static SigningRight Of(ApprovalRequest request, Actor actor, DateTimeOffset now, SigningContext context)
    {
        if (request.State != ApprovalState.WaitingForApproval)
            return new($"This request is {request.State} already.{(request.VoidedReason is { } why ? $" It is void because {why}." : "")}");
        if (now >= request.ExpiresAt)
            return new("This request has expired. Ask for a new one, with fresh evidence.");
        var roles = RolesFor(request);
        var own = actor.May(Permission.Approve) && roles.Any(r => Roles.PermissionsOf(r).All(actor.May));
        if (!own && context.Delegations.Count == 0)
            return new(request.Kind == PromotionKind.Override ? "An override needs an administrator." : roles.Count == ModelEnvironment.SigningRoles.Count
                ? "Only a release manager or an administrator can decide." : $"'{request.AliasName}' is decided by the role {string.Join(" or ", roles)}.", true);
        if (actor.Id == request.RequestedById)
            return new("You asked for this promotion. A second person has to decide.", true);
        var author = AuthorOf(request);
        if (actor.Id == author)
            return new("You had this version made. Somebody who did not has to decide.", true);
        if (context.Signatures.Any(s => s.PersonId == actor.Id))
            return new("You signed this already. Each person signs once.");
        if (context.Signatures.FirstOrDefault(s => s.OnBehalfOfId == actor.Id) is { } stand)
            return new($"{stand.PersonName} signed this in your place already.");
        if (own)
            return new(Objection: null);
        // Delegations are not given to whoever may only look; somebody may have become that since.
        if (actor.Permissions.All(p => p == Permission.Read))
            return new("You may only look. A delegation from before your role changed does not count.", true);
        var current = context.Delegations.Where(d => d.StartsAt <= now && now < d.EndsAt && d.RevokedAt is null).ToList();
        if (current.Count == 0)
            return new("Your delegation is not in force today.", true);
        // Otherwise the author would approve through somebody else's hand.
        current.RemoveAll(d => d.FromId == request.RequestedById || d.FromId == author);
        if (current.Count == 0)
            return new("The person who asked, or who had the version made, cannot hand the decision on. Somebody else has to decide.", true);
        var free = current.FirstOrDefault(d => !context.Signatures.Any(s => s.PersonId == d.FromId || s.OnBehalfOfId == d.FromId));
        return free is null ? new("The person in whose place you could sign has signed already.") : new(null, false, free);
    }

    /// <summary>A rollback returns to what somebody else signed before, and an override waits for nobody: there the author may be the second person.</summary>
    private static Guid? AuthorOf(ApprovalRequest request) => request.Kind == PromotionKind.Promotion ? Json.Read<Evidence>(request.EvidenceJson).AuthorId : null;

    public static IReadOnlyList<string> RolesFor(ApprovalRequest request) =>
        request.Kind == PromotionKind.Override ? [Roles.Admin] : Json.Read<Evidence>(request.EvidenceJson).Environment?.Roles ?? ModelEnvironment.SigningRoles;
}

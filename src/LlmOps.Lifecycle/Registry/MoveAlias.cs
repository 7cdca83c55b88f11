using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Webhooks;

namespace LlmOps.Lifecycle.Registry;

/// <summary>An alias moves only through an approval; this is the move itself, made inside the approval's transaction.</summary>
public static class MoveAlias
{
    internal static async Task ApplyAsync(LlmOpsDb db, Alias? alias, ApprovalRequest request, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        var from = alias?.VersionId;
        var (name, version, variant) = (request.AliasName, request.VersionId, request.VariantName);
        if (alias is null)
            db.Aliases.Add(new Alias { ModelId = request.ModelId, Name = name, VersionId = version, VariantName = variant, Revision = 1 });
        else
        {
            alias.VersionId = version;
            alias.VariantName = variant;
            alias.Revision++;
        }
        var move = new AliasMove
        {
            ModelId = request.ModelId, Name = name, FromVersionId = from, ToVersionId = version, VariantName = variant, ApprovalId = request.Id, EvidenceDigest = request.EvidenceDigest,
            Kind = request.Kind.ToString(), Reason = request.Reason, MovedBy = actor.Name, At = now,
        };
        db.AliasMoves.Add(move);
        await db.AnnounceAliasAsync(move, now, ct);
        db.Record(actor, "move-alias", "model", request.ModelId, now, new { alias = name, version = from }, new { alias = name, version, variant, kind = request.Kind, request.EvidenceDigest });
    }
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Lifecycle.Registry;

/// <summary>An alias moves only through an approval; this is the move itself, made inside the approval's transaction.</summary>
public static class MoveAlias
{
    internal static void Apply(LlmOpsDb db, Alias? alias, Guid modelId, string name, Guid versionId, string variant, Guid approvalId, Actor actor, DateTimeOffset now)
    {
        var from = alias?.VersionId;
        if (alias is null)
            db.Aliases.Add(new Alias { ModelId = modelId, Name = name, VersionId = versionId, VariantName = variant, Revision = 1 });
        else
        {
            alias.VersionId = versionId;
            alias.VariantName = variant;
            alias.Revision++;
        }
        db.AliasMoves.Add(new AliasMove { ModelId = modelId, Name = name, FromVersionId = from, ToVersionId = versionId, VariantName = variant, ApprovalId = approvalId, MovedBy = actor.Name, At = now });
        db.Record(actor, "move-alias", "model", modelId, now, new { alias = name, version = from }, new { alias = name, version = versionId, variant });
    }
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <param name="RequestId">The request that stands in the way; null when the alias points where it was asked to.</param>
public sealed record AliasAnswer(string Alias, Guid? RequestId);

/// <summary>
/// Moves an alias at a client's word. One that is an environment of the model is guarded: then this opens a request for approval, or finds the one that is open, so
/// that a script that is run again asks once.
/// </summary>
public sealed class PointAlias(IDbContextFactory<LlmOpsDb> dbs, RequestPromotion promotion, Hints hints, TimeProvider time)
{
    private static readonly Dictionary<string, string?> Stages = new(StringComparer.OrdinalIgnoreCase) { ["None"] = null, ["Staging"] = "staging", ["Production"] = "production", ["Archived"] = null };

    public static bool IsProtected(RegisteredModel model, string alias) => ModelEnvironment.Of(model).Any(e => e.Alias.Equals(alias, StringComparison.OrdinalIgnoreCase));

    public async Task<AliasAnswer> SetAsync(string? model, string? alias, int number, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        var name = RegisteredName.ParseAlias(alias);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var version = await ChangeVersion.GetAsync(db, model, number, ct);
        if (IsProtected(version.Model!, name))
            name = name.ToLowerInvariant();     // environments are written in lower case, and another spelling is no way around them
        var now = await db.Aliases.SingleOrDefaultAsync(a => a.ModelId == version.ModelId && a.Name == name, ct);
        if (now?.VersionId == version.Id)
            return new(name, null);
        if (IsProtected(version.Model!, name))
            return new(name, await AskAsync(db, version, name, actor, ct));
        await MoveAsync(db, version, now, name, actor, ct);
        await SaveAsync(db, version.ModelId, ct);
        return new(name, null);
    }

    public async Task RemoveAsync(string? model, string? alias, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        var name = RegisteredName.ParseAlias(alias);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var owner = await ChangeModel.GetAsync(db, model, ct);
        if (await db.Aliases.SingleOrDefaultAsync(a => a.ModelId == owner.Id && a.Name == name, ct) is not { } found)
            return;
        EnsureFree(owner, name);
        db.Aliases.Remove(found);
        db.Record(actor, "remove-alias", "model", owner.Id, time.GetUtcNow(), new { alias = name, version = found.VersionId });
        await db.AnnounceAliasGoneAsync(owner.Name, name, time.GetUtcNow(), ct);
        await SaveAsync(db, owner.Id, ct);
    }

    /// <summary>Staging and Production are the aliases of these names, so each has one version; None and Archived take them away.</summary>
    public async Task<AliasAnswer?> SetStageAsync(string? model, int number, string? stage, bool archiveExisting, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        if (!Stages.TryGetValue(TrackingKeys.Required(stage, "stage"), out var alias))
            throw LlmOpsException.Invalid($"Invalid Model Version stage: {TrackingKeys.Shown(stage!)}. Value must be one of {string.Join(", ", Stages.Keys)}.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var version = await ChangeVersion.GetAsync(db, model, number, ct);
        var held = await db.Aliases.Where(a => a.ModelId == version.ModelId && (a.Name == "staging" || a.Name == "production")).ToListAsync(ct);
        var target = held.FirstOrDefault(a => a.Name == alias);
        if (alias is not null && target?.VersionId != version.Id && IsProtected(version.Model!, alias))
            return new(alias, await AskAsync(db, version, alias, actor, ct));
        foreach (var other in held.Where(a => a.VersionId == version.Id && a.Name != alias))
        {
            EnsureFree(version.Model!, other.Name);
            db.Aliases.Remove(other);
            await db.AnnounceAliasGoneAsync(version.Model!.Name, other.Name, time.GetUtcNow(), ct);
        }
        if (alias is not null && target?.VersionId != version.Id)
        {
            if (target is not null && archiveExisting && await db.ModelVersions.SingleOrDefaultAsync(v => v.Id == target.VersionId, ct) is { } before)
                before.IsArchived = true;
            await MoveAsync(db, version, target, alias, actor, ct);
        }
        version.IsArchived = string.Equals(stage, "Archived", StringComparison.OrdinalIgnoreCase);
        version.UpdatedAt = time.GetUtcNow();
        db.Record(actor, "set-stage", "model-version", version.Key(), time.GetUtcNow(), after: new { stage });
        await SaveAsync(db, version.ModelId, ct);
        return null;
    }

    private static void EnsureFree(RegisteredModel model, string alias)
    {
        if (IsProtected(model, alias))
            throw new LlmOpsException(ErrorCode.PermissionDenied, $"'{alias}' is an environment of {model.Name}: it moves only with an approval, and is not taken away. Ask for another version to be promoted.");
    }

    private async Task<Guid> AskAsync(LlmOpsDb db, ModelVersion version, string alias, Actor actor, CancellationToken ct)
    {
        var open = await db.Approvals.AsNoTracking().Where(a => a.VersionId == version.Id && a.AliasName == alias && a.State == ApprovalState.WaitingForApproval && a.ExpiresAt > time.GetUtcNow())
            .OrderByDescending(a => a.CreatedAt).Select(a => (Guid?)a.Id).FirstOrDefaultAsync(ct);
        return open ?? (await promotion.RequestAsync(new(version.Key().ToString(), await FormAsync(db, version, ct), alias, Reason: "Asked for through the MLflow API."), actor, ct)).Id;
    }

    /// <summary>The API knows no forms of a version: it is the only one there is, or the one that a gate chose.</summary>
    private static async Task<string> FormAsync(LlmOpsDb db, ModelVersion version, CancellationToken ct)
    {
        var chosen = await db.GateDecisions.AsNoTracking().Where(g => g.VersionId == version.Id && g.Chosen).OrderByDescending(g => g.At).Select(g => g.VariantName).FirstOrDefaultAsync(ct);
        if (chosen is not null)
            return chosen;
        var forms = await db.ModelVariants.AsNoTracking().Where(v => v.VersionId == version.Id).OrderBy(v => v.Name).Select(v => v.Name).ToListAsync(ct);
        return forms.Count == 1 ? forms[0] : throw new LlmOpsException(ErrorCode.ResourceConflict, forms.Count == 0
            ? $"{version.Key()} has no form that could run yet. Export it first." : $"{version.Key()} has the forms {string.Join(", ", forms)} and no gate chose one. Ask on the page of the version for the one you mean.");
    }

    private async Task MoveAsync(LlmOpsDb db, ModelVersion version, Alias? alias, string name, Actor actor, CancellationToken ct)
    {
        var (from, now) = (alias?.VersionId, time.GetUtcNow());
        if (alias is null)
            db.Aliases.Add(new Alias { ModelId = version.ModelId, Name = name, VersionId = version.Id, Revision = 1 });
        else
        {
            (alias.VersionId, alias.VariantName) = (version.Id, null);
            alias.Revision++;
        }
        var move = new AliasMove { ModelId = version.ModelId, Name = name, FromVersionId = from, ToVersionId = version.Id, MovedBy = actor.Name, At = now };
        db.AliasMoves.Add(move);
        await db.AnnounceAliasAsync(move, now, ct);
        db.Record(actor, "move-alias", "model", version.ModelId, now, new { alias = name, version = from }, new { alias = name, version = version.Id });
    }

    private async Task SaveAsync(LlmOpsDb db, Guid modelId, CancellationToken ct)
    {
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Model, modelId);
    }
}

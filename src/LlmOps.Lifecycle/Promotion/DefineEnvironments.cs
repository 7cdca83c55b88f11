using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Sets the environments of a model. Only an administrator: who decides about a model must not loosen the rules they decide under.</summary>
public sealed class DefineEnvironments(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task DefineAsync(string model, IReadOnlyList<ModelEnvironment> environments, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        ModelEnvironment.EnsureValid(environments);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var found = await db.Models.SingleOrDefaultAsync(m => m.Name == model, ct) ?? throw LlmOpsException.NotFound("Model", model);
        var before = ModelEnvironment.Of(found);
        found.EnvironmentsJson = Json.Write(environments);
        db.Record(actor, "define-environments", "model", model, time.GetUtcNow(), new { environments = before }, new { environments });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Model, found.Id);
    }
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <summary>Says in words what a model is for.</summary>
public sealed class DescribeModel(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public const int LongestDescription = 10_000;

    public async Task DescribeAsync(string name, string description, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        if (description.Length > LongestDescription)
            throw LlmOpsException.Invalid($"The description has {description.Length:N0} characters; {LongestDescription:N0} are allowed. Put longer texts into the repository and link them.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var model = await db.Models.SingleOrDefaultAsync(m => m.Name == name, ct) ?? throw LlmOpsException.NotFound("Model", name);
        if (model.Description == description)
            return;
        db.Record(actor, "describe", "model", name, time.GetUtcNow(), new { model.Description }, new { description });
        model.Description = description;
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Model, model.Id);
    }
}

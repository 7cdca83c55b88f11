using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>A policy is never changed: other text under the same name is its next number, so that an old decision keeps meaning what it meant.</summary>
public sealed class SavePolicy(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    /// <summary>The newest version when its text is the same, else a new one.</summary>
    public async Task<GatePolicy> SaveAsync(string yaml, Actor actor, CancellationToken ct = default)
    {
        // Those who sign by a policy may write it, as may those who run it.
        if (!actor.May(Permission.Approve))
            actor.Require(Permission.RunPipelines);
        var text = yaml.ReplaceLineEndings("\n").Trim() + "\n";
        var document = PolicyDocument.Parse(text);
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        return await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var newest = await db.GatePolicies.AsNoTracking().Where(p => p.Name == document.Name).OrderByDescending(p => p.Number).FirstOrDefaultAsync(ct);
            if (newest?.Digest == digest)
                return newest;
            var added = new GatePolicy { Name = document.Name, Number = (newest?.Number ?? 0) + 1, Yaml = text, Digest = digest, CreatedBy = actor.Name, CreatedAt = time.GetUtcNow() };
            db.GatePolicies.Add(added);
            db.Record(actor, "save", "gate-policy", $"{added.Name}/{added.Number}", added.CreatedAt, after: new { added.Name, added.Number, digest });
            await db.SaveChangesAsync(ct);
            return added;
        });
    }
}

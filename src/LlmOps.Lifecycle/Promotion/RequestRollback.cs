using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Asks for an alias to go back to what it held before its last move. One approval by another person moves it.</summary>
public sealed class RequestRollback(IDbContextFactory<LlmOpsDb> dbs, RequestPromotion promotion)
{
    public async Task<ApprovalRequest> RequestAsync(string model, string alias, string? reason, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var owner = await db.Models.AsNoTracking().SingleOrDefaultAsync(m => m.Name == model, ct) ?? throw LlmOpsException.NotFound("Model", model);
        var moves = await db.AliasMoves.AsNoTracking().Where(m => m.ModelId == owner.Id && m.Name == alias).OrderByDescending(m => m.Id).ToListAsync(ct);
        var current = moves.FirstOrDefault() ?? throw LlmOpsException.NotFound($"Alias of {model}", alias);
        var before = moves.Skip(1).FirstOrDefault(m => m.ToVersionId != current.ToVersionId || m.VariantName != current.VariantName)
            ?? throw new LlmOpsException(ErrorCode.ResourceConflict, $"'{alias}' of {model} held nothing else before, so there is nothing to go back to.");
        var number = await db.ModelVersions.Where(v => v.Id == before.ToVersionId).Select(v => v.Number).SingleAsync(ct);
        return await promotion.RequestAsync(new($"{model}/{number}", before.VariantName!, alias, PromotionKind.Rollback, reason), actor, ct);
    }
}

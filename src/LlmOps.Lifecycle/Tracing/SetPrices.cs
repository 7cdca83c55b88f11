using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Prices in US dollars for a million tokens. They count for what arrives from then on.</summary>
public sealed record PriceForm(string Model, double InputUsd, double OutputUsd, double? CacheReadUsd = null, double? CacheWriteUsd = null);

public sealed class SetPrices(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    private const int LongestName = 250;

    /// <summary>Adds the price, or changes the one that has the same name.</summary>
    public async Task SetAsync(PriceForm form, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        var model = form.Model.Trim();
        if (model.Length is 0 or > LongestName || model.IndexOf('*', StringComparison.Ordinal) is >= 0 and var star && star != model.Length - 1)
            throw LlmOpsException.Invalid($"A price needs the name of a model of at most {LongestName} characters, with a star only at its end.");
        double?[] prices = [form.InputUsd, form.OutputUsd, form.CacheReadUsd, form.CacheWriteUsd];
        if (prices.Any(p => p is { } usd && !(usd >= 0 && double.IsFinite(usd))))
            throw LlmOpsException.Invalid("A price is a number of US dollars for a million tokens, zero or more.");
        await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var now = time.GetUtcNow();
            var price = await db.ModelPrices.SingleOrDefaultAsync(p => p.Model == model, ct);
            var before = price is null ? null : Told(price);
            if (price is null)
                db.ModelPrices.Add(price = new ModelPrice { Model = model });
            (price.InputUsd, price.OutputUsd, price.CacheReadUsd, price.CacheWriteUsd, price.ChangedAt) = (form.InputUsd, form.OutputUsd, form.CacheReadUsd, form.CacheWriteUsd, now);
            db.Record(actor, "set", "model-price", model, now, before, Told(price));
            await db.SaveChangesAsync(ct);
            return true;
        });
    }

    public async Task DeleteAsync(string model, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var price = await db.ModelPrices.SingleOrDefaultAsync(p => p.Model == model, ct) ?? throw LlmOpsException.NotFound("Price", model);
        db.ModelPrices.Remove(price);
        db.Record(actor, "delete", "model-price", model, time.GetUtcNow(), Told(price));
        await db.SaveChangesAsync(ct);
    }

    private static object Told(ModelPrice price) => new { price.InputUsd, price.OutputUsd, price.CacheReadUsd, price.CacheWriteUsd };
}

public sealed class ReadPrices(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<IReadOnlyList<ModelPrice>> ListAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.ModelPrices.AsNoTracking().OrderBy(p => p.Model).ToListAsync(ct);
    }
}

using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Keeps traces for as long as the setting says.</summary>
public sealed class DeleteOldTraces(IDbContextFactory<LlmOpsDb> dbs, TraceSettings settings, Hints hints, TimeProvider time)
{
    private static readonly TimeSpan AtOnce = TimeSpan.FromHours(1);

    /// <summary>How many spans are gone. A few hours' worth in each transaction, so that what is served meanwhile never waits long for the writer.</summary>
    public async Task<int> DeleteAsync(CancellationToken ct = default)
    {
        if (settings.RetentionDays <= 0)
            return 0;
        var end = time.GetUtcNow().AddDays(-settings.RetentionDays);
        var deleted = 0;
        await using var db = await dbs.CreateDbContextAsync(ct);
        while (await db.Spans.Where(s => s.StartedAt < end).OrderBy(s => s.StartedAt).Select(s => (DateTimeOffset?)s.StartedAt).FirstOrDefaultAsync(ct) is { } oldest)
        {
            var until = oldest + AtOnce < end ? oldest + AtOnce : end;
            deleted += await db.Spans.Where(s => s.StartedAt < until).ExecuteDeleteAsync(ct);
        }
        if (deleted == 0)
            return 0;
        await DeleteTraces.ForgetWithoutSpansAsync(db, time.GetUtcNow(), ct);
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
        return deleted;
    }
}

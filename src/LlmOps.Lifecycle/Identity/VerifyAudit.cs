using System.Runtime.CompilerServices;
using System.Text.Json;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Identity;

/// <summary>Reads the whole audit chain, from the database or from an export.</summary>
public sealed class VerifyAudit(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<AuditChainReport> VerifyAsync(IReadOnlyList<AuditHeadNote> noted, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        // The last entry first, then the end of the chain: they are committed together, so an entry added meanwhile cannot look like an end that was set back.
        var last = await db.Audit.MaxAsync(a => a.Sequence, ct) ?? 0;
        var head = await db.AuditHeads.AsNoTracking().SingleOrDefaultAsync(ct);
        var report = await AuditChain.CheckAsync(Ordered(db, Math.Max(last, head?.Sequence ?? 0)), head is null ? null : new(head.Sequence, head.Hash), noted, ct);
        return last <= (head?.Sequence ?? 0) ? report : report with
        {
            IsIntact = false,
            Problems = [new(head?.Sequence, head is null ? $"the stored end of the chain is gone, though there are {last} entries." : $"the stored end of the chain was set back to entry {head.Sequence}, though there are {last}."), .. report.Problems],
        };
    }

    public async Task<AuditHeadNote> HeadAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.AuditHeads.AsNoTracking().SingleOrDefaultAsync(ct) is { Sequence: > 0 } head ? new(head.Sequence, head.Hash) : new(0, AuditChain.Start);
    }

    /// <summary>One JSON object for each entry, in the order of the chain: what <see cref="VerifyFileAsync"/> reads, on any machine.</summary>
    public async IAsyncEnumerable<AuditEntry> ExportAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        await foreach (var entry in Ordered(db, long.MaxValue).WithCancellation(ct))
            yield return entry;
    }

    public static Task<AuditChainReport> VerifyFileAsync(string path, IReadOnlyList<AuditHeadNote> noted, CancellationToken ct = default) =>
        File.Exists(path) ? AuditChain.CheckAsync(LinesAsync(path, ct), null, noted, ct) : throw LlmOpsException.NotFound("File", path);

    private static IAsyncEnumerable<AuditEntry> Ordered(LlmOpsDb db, long last) =>
        db.Audit.AsNoTracking().Where(a => a.Sequence == null || a.Sequence <= last).OrderBy(a => a.Sequence == null).ThenBy(a => a.Sequence).ThenBy(a => a.Id).AsAsyncEnumerable();

    private static async IAsyncEnumerable<AuditEntry> LinesAsync(string path, [EnumeratorCancellation] CancellationToken ct)
    {
        var number = 0;
        await foreach (var line in File.ReadLinesAsync(path, ct))
        {
            number++;
            if (line.Length == 0)
                continue;
            AuditEntry? entry;
            try
            {
                entry = JsonSerializer.Deserialize<AuditEntry>(line, Json.Options);
            }
            catch (JsonException e)
            {
                throw LlmOpsException.Invalid($"Line {number} of {Path.GetFileName(path)} is no audit entry: {e.Message}");
            }
            yield return entry ?? throw LlmOpsException.Invalid($"Line {number} of {Path.GetFileName(path)} is empty.");
        }
    }
}

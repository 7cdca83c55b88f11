using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>What was made under one title, step by step.</summary>
public sealed record OutputSeries(string Title, string MediaType, IReadOnlyList<OutputPoint> Points)
{
    public bool IsPicture => MediaType == RunOutput.Png;
}

/// <param name="Text">The text, or what the picture shows.</param>
public sealed record OutputPoint(Guid Id, int Step, string Text, DateTimeOffset At);

public sealed record CheckpointRow(Guid Id, int Step, string Digest, double Loss, double? HeldOutLoss, bool Best, long SizeBytes, DateTimeOffset CreatedAt, DateTimeOffset? RemovedAt)
{
    public bool Kept => RemovedAt is null;
}

/// <summary>What a training showed while it ran, and the states it can be gone on from.</summary>
public sealed class ReadRunOutputs(IDbContextFactory<LlmOpsDb> dbs, ArtifactStore artifacts)
{
    /// <summary>Points of a series that a page shows; more are thinned out, the newest stays.</summary>
    public const int MostPoints = 100;

    public async Task<IReadOnlyList<OutputSeries>> SeriesAsync(Guid runId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var keys = await db.RunOutputs.AsNoTracking().Where(o => o.RunId == runId).OrderBy(o => o.Step).Select(o => new { o.Id, o.Title, o.Step }).ToListAsync(ct);
        // Ids first: the texts of a long run are not read to be thrown away.
        Guid[] shown = [.. keys.GroupBy(k => k.Title).SelectMany(g => Thinned([.. g.Select(k => k.Id)]))];
        var rows = await db.RunOutputs.AsNoTracking().Where(o => o.RunId == runId && shown.Contains(o.Id)).OrderBy(o => o.Step)
            .Select(o => new { o.Id, o.Title, o.MediaType, o.Step, o.Content, o.At }).ToListAsync(ct);
        return [.. rows.GroupBy(r => (r.Title, r.MediaType)).Select(g => new OutputSeries(g.Key.Title, g.Key.MediaType, [.. g.Select(r => new OutputPoint(r.Id, r.Step, r.Content ?? "", r.At))]))
            .OrderByDescending(s => s.IsPicture).ThenBy(s => s.Title, StringComparer.Ordinal)];
    }

    public async Task<int> CountAsync(Guid runId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.RunOutputs.CountAsync(o => o.RunId == runId, ct);
    }

    /// <summary>The bytes of a picture.</summary>
    public async Task<Stream> PictureAsync(Guid runId, Guid outputId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var digest = await db.RunOutputs.AsNoTracking().Where(o => o.Id == outputId && o.RunId == runId && o.MediaType == RunOutput.Png).Select(o => o.Digest).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.NotFound("Picture", outputId);
        return artifacts.OpenFile((await artifacts.ManifestAsync(digest, ct)).Files.Single());
    }

    /// <summary>Every checkpoint the run wrote, the newest first; the row of one that was removed says when.</summary>
    public async Task<IReadOnlyList<CheckpointRow>> CheckpointsAsync(Guid runId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.RunCheckpoints.AsNoTracking().Where(c => c.RunId == runId).OrderByDescending(c => c.Step)
            .Select(c => new CheckpointRow(c.Id, c.Step, c.Digest, c.Loss, c.HeldOutLoss, c.Best, c.SizeBytes, c.CreatedAt, c.RemovedAt)).ToListAsync(ct);
    }

    private static IEnumerable<Guid> Thinned(IReadOnlyList<Guid> ids) =>
        ids.Count <= MostPoints ? ids : Enumerable.Range(0, MostPoints).Select(i => ids[(int)((long)i * (ids.Count - 1) / (MostPoints - 1))]).Distinct();
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using LlmOps.Engines.Evaluation;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Datasets;

/// <param name="Agreement">Share of the person's clear answers (no tie, no skip) that are the dataset's own; null before the first one.</param>
public sealed record AnnotationProgress(int Rows, int Answered, int Ties, int Skipped, Estimate? Agreement);

/// <summary>How far one person is with the preference rows of one split.</summary>
public sealed class ReadAnnotations(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<AnnotationProgress> ProgressAsync(Guid versionId, string split, int rows, Guid personId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var counts = await Of(db, versionId, split, personId).GroupBy(a => a.Preferred).Select(g => new { g.Key, Count = g.Count() }).ToDictionaryAsync(g => g.Key, g => g.Count, ct);
        int chosen = counts.GetValueOrDefault("chosen"), clear = chosen + counts.GetValueOrDefault("rejected");
        return new(rows, counts.Values.Sum(), counts.GetValueOrDefault("tie"), counts.GetValueOrDefault("skip"), clear == 0 ? null : Wilson.Interval(chosen, clear));
    }

    /// <summary>The first row this person has not answered; null when all are.</summary>
    public async Task<int?> NextAsync(Guid versionId, string split, int rows, Guid personId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var answered = (await Of(db, versionId, split, personId).Select(a => a.Row).ToListAsync(ct)).ToHashSet();
        for (var row = 0; row < rows; row++)
            if (!answered.Contains(row))
                return row;
        return null;
    }

    /// <summary>The row this person answered last, to undo it.</summary>
    public async Task<int?> LastAsync(Guid versionId, string split, Guid personId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await Of(db, versionId, split, personId).OrderByDescending(a => a.At).ThenByDescending(a => a.Row).Select(a => (int?)a.Row).FirstOrDefaultAsync(ct);
    }

    /// <summary>
    /// Which answer stands on the left. Random to the reader, so that a habit of one side cancels out, yet the same at every look: a
    /// reload must not turn the page around under somebody who has read it already.
    /// </summary>
    public static bool ChosenIsLeft(Guid versionId, string split, int row, Guid personId)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{versionId:N}/{split}/{row}/{personId:N}"));
        return (BinaryPrimitives.ReadUInt32LittleEndian(hash) & 1) == 0;
    }

    private static IQueryable<Annotation> Of(LlmOpsDb db, Guid versionId, string split, Guid personId) =>
        db.Annotations.AsNoTracking().Where(a => a.DatasetVersionId == versionId && a.Split == split && a.PersonId == personId);
}

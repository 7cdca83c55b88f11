using System.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <param name="Version">The version that has the old rows and the new ones.</param>
/// <param name="Without">Traces that gave no row: without an answer, without feedback where it is needed, or without their counterpart.</param>
public sealed record AddedTraces(DatasetVersion Version, int Rows, int Without);

/// <summary>Makes a new version of a data set: its newest rows and those of the traces. Rows that are there already are not doubled.</summary>
public sealed class AddTracesToDataset(IDbContextFactory<LlmOpsDb> dbs, ReadTraces traces, ImportDataset import, ArtifactStore artifacts)
{
    public const int Most = 500;

    public async Task<AddedTraces> AddAsync(IReadOnlyCollection<string> traceIds, string dataset, DatasetKind kind, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteDatasets);
        if (traceIds.Count is 0 or > Most)
            throw LlmOpsException.Invalid($"Choose from 1 to {Most} traces.");
        if (!TraceRows.Kinds.Contains(kind))
            throw LlmOpsException.Invalid($"Traces make rows of the kinds {string.Join(", ", TraceRows.Kinds)}.");
        var read = new List<TraceDetail>();
        foreach (var id in traceIds.Distinct())
            read.Add(await traces.GetAsync(id, ct));
        var (rows, without) = TraceRows.From(read, kind);
        if (rows.Count == 0)
            throw LlmOpsException.Invalid(kind switch
            {
                DatasetKind.Preference => "No two of these traces answer the same question, one with a thumb up and one with a thumb down.",
                DatasetKind.Unpaired => "None of these traces has an answer and feedback.",
                _ => "None of these traces has a question and an answer.",
            });
        var (before, licence) = await NewestAsync(dataset, ct);
        var known = before.ToHashSet(StringComparer.Ordinal);
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', before.Concat((await AsStoredAsync(rows, kind, ct)).Where(known.Add)))));
        var version = await import.ImportAsync(dataset, kind, stream, quarantine: false, licence, "traces", actor, ct);
        return new(version, rows.Count, without);
    }

    /// <summary>In the form in which rows are kept, so that equal ones are equal texts.</summary>
    private static async Task<IReadOnlyList<string>> AsStoredAsync(IReadOnlyList<string> rows, DatasetKind kind, CancellationToken ct)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', rows)));
        var stored = new List<string>();
        // What cannot be used stays as it is, for the import to say why.
        await foreach (var read in DatasetRows.StreamAsync(stream, kind, ct))
            stored.Add(read.Row?.Json ?? read.Bad!.Text);
        return stored;
    }

    private async Task<(List<string> Rows, string Licence)> NewestAsync(string dataset, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var newest = await db.DatasetVersions.Where(v => v.Dataset!.Name == dataset).OrderByDescending(v => v.Number).Select(v => new { v.ArtifactDigest, v.Licence }).FirstOrDefaultAsync(ct);
        if (newest is null)
            return ([], "");
        var rows = new List<string>();
        foreach (var file in (await artifacts.ManifestAsync(newest.ArtifactDigest, ct)).Files.Where(f => f.Path is ImportDataset.TrainFile or ImportDataset.HeldOutFile))
        {
            using var lines = new StreamReader(artifacts.OpenFile(file));
            while (await lines.ReadLineAsync(ct) is { } line)
                rows.Add(line);
        }
        return (rows, newest.Licence);
    }
}

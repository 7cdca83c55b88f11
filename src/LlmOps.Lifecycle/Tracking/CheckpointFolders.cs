using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>
/// Where the checkpoints of trainings lie: a folder each, named after the run and the step. They are no artifacts: they change by the minute, are large, and all
/// but a few are removed again. Each holds the digest of its own content, which is checked when it is read.
/// </summary>
public sealed class CheckpointFolders(string root)
{
    /// <summary>Copies a checkpoint that a training wrote; true when it is there now, false when the training has removed it meanwhile.</summary>
    public bool Keep(Guid run, int step, string folder)
    {
        var target = PathOf(run, step);
        if (Directory.Exists(target))
            return true;
        var incoming = $"{target}.{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(incoming);
            foreach (var file in Directory.GetFiles(folder))
                File.Copy(file, Path.Combine(incoming, Path.GetFileName(file)));
            Directory.Move(incoming, target);
            return true;
        }
        catch (IOException) when (!Directory.Exists(folder) || Directory.Exists(target))
        {
            return Directory.Exists(target);
        }
        finally
        {
            if (Directory.Exists(incoming))
                Directory.Delete(incoming, recursive: true);
        }
    }

    public void Remove(Guid run, int step)
    {
        if (Directory.Exists(PathOf(run, step)))
            Directory.Delete(PathOf(run, step), recursive: true);
    }

    /// <summary>The folder to go on from; null when it is no longer kept, or lies on another machine's disk.</summary>
    public async Task<string?> FindFolderAsync(LlmOpsDb db, Guid checkpoint, CancellationToken ct) =>
        await db.RunCheckpoints.AsNoTracking().SingleOrDefaultAsync(c => c.Id == checkpoint, ct) is { RemovedAt: null } row && Directory.Exists(PathOf(row.RunId, row.Step)) ? PathOf(row.RunId, row.Step) : null;

    /// <summary>The folder to go on from.</summary>
    public async Task<string> FolderAsync(LlmOpsDb db, Guid checkpoint, CancellationToken ct)
    {
        var row = await db.RunCheckpoints.AsNoTracking().SingleOrDefaultAsync(c => c.Id == checkpoint, ct) ?? throw LlmOpsException.NotFound("Checkpoint", checkpoint);
        var folder = PathOf(row.RunId, row.Step);
        return row.RemovedAt is null && Directory.Exists(folder)
            ? folder
            : throw LlmOpsException.Invalid($"The checkpoint of step {row.Step} is no longer kept. The page of its run lists those that are.");
    }

    private string PathOf(Guid run, int step) => Path.Combine(root, run.ToString("N"), $"step-{step:00000000}");
}

using LlmOps.Engines.Planning;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Planning;

/// <param name="At">When it was measured.</param>
public sealed record MeasuredMachine(Hardware Hardware, DateTimeOffset At, string By);

/// <summary>Measures the machine that this process runs on, and keeps the figures in the data folder: the next process of the same machine need not measure again.</summary>
public sealed class MeasureMachine(string folder, IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    private static readonly SemaphoreSlim One = new(1);

    private string File => Path.Combine(folder, $"{Environment.MachineName}.json");

    /// <summary>The figures of this machine, or null when it was never measured.</summary>
    public async Task<MeasuredMachine?> FindAsync(CancellationToken ct = default) =>
        System.IO.File.Exists(File) ? Json.Read<MeasuredMachine>(await System.IO.File.ReadAllTextAsync(File, ct)) : null;

    /// <summary>Keeps every core busy for about two seconds. Two requests at once would measure each other.</summary>
    public async Task<MeasuredMachine> MeasureAsync(Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await One.WaitAsync(ct);
        try
        {
            var found = await Task.Run(() => MachineProbe.Measure(ct: ct), ct);
            var measured = new MeasuredMachine(found, time.GetUtcNow(), actor.Name);
            Directory.CreateDirectory(Path.GetDirectoryName(File)!);
            var next = $"{File}.{Guid.NewGuid():N}";
            await System.IO.File.WriteAllTextAsync(next, Json.Write(measured), ct);
            await using var db = await dbs.CreateDbContextAsync(ct);
            db.Record(actor, "measure", "machine", found.Name, measured.At, null, new { found.BandwidthBytesPerSecond, found.Fp32OperationsPerSecond });
            await db.SaveChangesAsync(ct);
            // Replaced in one step: a reader sees the old figures or the new ones.
            System.IO.File.Move(next, File, overwrite: true);
            return measured;
        }
        finally
        {
            One.Release();
        }
    }
}

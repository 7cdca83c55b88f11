using System.Globalization;
using System.Text.Json;
using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Architectures;

namespace LlmOps.Training;

/// <summary>Where a run stands: everything beside the buffers that a resumed run needs to be equal to the bit.</summary>
internal sealed record TrainingCounters(int Step, long Tokens, double Seconds, double Loss)
{
    /// <summary>Held-out losses so far, oldest first: the plateau schedule and early stopping are functions of them.</summary>
    public IReadOnlyList<HeldOutPoint> HeldOut { get; init; } = [];

    /// <summary>Training losses so far; the verdict is a function of them.</summary>
    public LossHistory Losses { get; init; } = LossHistory.Empty;

    /// <summary>State of float16's scale; null without one.</summary>
    public LossScale? Scale { get; init; }

    public double? BestHeldOut => HeldOut.Count == 0 ? null : HeldOut.Min(p => p.Loss);
}

/// <summary>A held-out loss and the steps done before it.</summary>
internal sealed record HeldOutPoint(int Step, double Loss);

/// <summary>
/// Checkpoints of one run, a folder each: <c>state.safetensors</c> (weights and every buffer of the optimizer and the average) and <c>checkpoint.json</c>
/// (counters, key, SHA-256 of the state). A folder is written under a temporary name, synced and renamed, so that a name always means a whole checkpoint; one
/// that was damaged later is passed over for the one before it.
/// </summary>
internal sealed class TrainingCheckpoints(string folder, string key, int keepLast)
{
    private const string StateFile = "state.safetensors";
    private const string CountersFile = "checkpoint.json";

    public static string FolderName(int step) => string.Create(CultureInfo.InvariantCulture, $"step-{step:00000000}");

    public SavedCheckpoint Save(FlatParameters parameters, IReadOnlyList<(string Name, float[] Values)> state, TrainingCounters at, bool best)
    {
        var target = Path.Combine(folder, FolderName(at.Step));
        var temporary = target + ".tmp";
        if (Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
        Directory.CreateDirectory(temporary);
        try
        {
            long[] shape = [parameters.Count];
            var file = Path.Combine(temporary, StateFile);
            SafetensorsWriter.WriteFloat32(file, [("weights", shape, parameters.ToArray()), .. state.Select(s => (s.Name, new long[] { s.Values.Length }, s.Values))]);
            var written = new Header(key, ModelFolder.Sha256(file), best, at);
            AtomicFile.Write(Path.Combine(temporary, CountersFile), stream => JsonSerializer.Serialize(stream, written));
            if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
            Directory.Move(temporary, target);
            return new SavedCheckpoint(target, at.Step, at.Loss, at.HeldOut.Count == 0 ? null : at.HeldOut[^1].Loss, best, new FileInfo(Path.Combine(target, StateFile)).Length, written.Sha256);
        }
        catch
        {
            // A half-written folder on a full disk would keep it full.
            if (Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
            throw;
        }
    }

    /// <summary>Restores the newest whole checkpoint of this run; null when there is none.</summary>
    public TrainingCounters? Restore(FlatParameters parameters, IReadOnlyList<(string Name, float[] Values)> state)
    {
        foreach (var each in All().OrderByDescending(s => s))
        {
            if (TryRead(Path.Combine(folder, FolderName(each)), parameters, state, key) is { } at) return at;
        }
        return null;
    }

    /// <summary>Restores one checkpoint of any run over the same parameters and optimizer.</summary>
    /// <exception cref="InvalidModelException">It is damaged, or of another model or optimizer.</exception>
    public static TrainingCounters RestoreFrom(string checkpoint, FlatParameters parameters, IReadOnlyList<(string Name, float[] Values)> state) =>
        TryRead(checkpoint, parameters, state, null)
        ?? throw new InvalidModelException("The checkpoint to continue from is damaged, or belongs to a model of another size or another optimizer. Choose a checkpoint of a run with the same model and optimizer.");

    /// <summary>Copies the weights of the best checkpoint into the parameters; false when there is none.</summary>
    public bool TakeBest(FlatParameters parameters, IReadOnlyList<(string Name, float[] Values)> state) =>
        All().OrderByDescending(s => s).FirstOrDefault(s => HeaderOf(s)?.Best == true) is > 0 and var best && TryRead(Path.Combine(folder, FolderName(best)), parameters, state, key) is not null;

    /// <summary>Removes all but the newest few and the newest best one.</summary>
    public void Prune(Action<int> removed)
    {
        int[] newestFirst = [.. All().OrderByDescending(s => s)];
        int best = newestFirst.FirstOrDefault(s => HeaderOf(s)?.Best == true);
        foreach (int step in newestFirst.Skip(keepLast).Where(s => s != best))
        {
            removed(step);
            Directory.Delete(Path.Combine(folder, FolderName(step)), recursive: true);
        }
    }

    private IEnumerable<int> All() => Directory.Exists(folder)
        ? Directory.GetDirectories(folder, "step-*").Select(Path.GetFileName).Where(n => !n!.EndsWith(".tmp", StringComparison.Ordinal)).Select(n => int.Parse(n!["step-".Length..], CultureInfo.InvariantCulture))
        : [];

    private Header? HeaderOf(int step) => ReadHeader(Path.Combine(folder, FolderName(step)));

    private static Header? ReadHeader(string checkpoint)
    {
        try
        {
            return JsonSerializer.Deserialize<Header>(File.ReadAllBytes(Path.Combine(checkpoint, CountersFile)));
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return null;
        }
    }

    private static TrainingCounters? TryRead(string checkpoint, FlatParameters parameters, IReadOnlyList<(string Name, float[] Values)> state, string? key)
    {
        if (ReadHeader(checkpoint) is not { } header || (key is not null && header.Key != key)) return null;
        try
        {
            var file = Path.Combine(checkpoint, StateFile);
            if (ModelFolder.Sha256(file) != header.Sha256) return null;
            using SafetensorsFile stored = SafetensorsFile.Open(file);
            float[] weights = stored.ReadFloat32("weights");
            float[][] buffers = [.. state.Select(s => stored.ReadFloat32(s.Name))];
            if (weights.Length != parameters.Count || buffers.Zip(state).Any(p => p.First.Length != p.Second.Values.Length)) return null;
            parameters.Set(weights);
            for (int i = 0; i < buffers.Length; i++) buffers[i].CopyTo(state[i].Values, 0);
            return header.At;
        }
        catch (Exception e) when (e is InvalidModelException or IOException or KeyNotFoundException)
        {
            return null;
        }
    }

    private sealed record Header(string Key, string Sha256, bool Best, TrainingCounters At);
}

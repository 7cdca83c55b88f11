using System.Globalization;
using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;

namespace LlmOps.Training;

/// <summary>Where a run stands.</summary>
internal sealed record TrainingCounters(int Step, long Tokens, double Seconds, double Loss);

/// <summary>
/// Weights, both moments and counters in one safetensors file, replaced atomically. It is used only by a run with the same key (options, data and
/// starting weights); anything else, a damaged file included, means starting anew.
/// </summary>
internal sealed class TrainingCheckpoint(string path, string key)
{
    public void Save(FlatParameters parameters, FusedAdamW optimizer, TrainingCounters at)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        long[] shape = [parameters.Count];
        SafetensorsWriter.WriteFloat32(
            path,
            [("weights", shape, parameters.Values.ToArray()), ("first_moment", shape, optimizer.FirstMoment), ("second_moment", shape, optimizer.SecondMoment)],
            new Dictionary<string, string>
            {
                ["key"] = key,
                ["step"] = at.Step.ToString(CultureInfo.InvariantCulture),
                ["tokens"] = at.Tokens.ToString(CultureInfo.InvariantCulture),
                ["seconds"] = at.Seconds.ToString("R", CultureInfo.InvariantCulture),
                ["loss"] = at.Loss.ToString("R", CultureInfo.InvariantCulture),
            });
    }

    public TrainingCounters? Restore(FlatParameters parameters, FusedAdamW optimizer)
    {
        if (!File.Exists(path)) return null;
        try
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            if (!file.Metadata.TryGetValue("key", out string? storedKey) || storedKey != key) return null;
            float[] weights = file.ReadFloat32("weights"), first = file.ReadFloat32("first_moment"), second = file.ReadFloat32("second_moment");
            if (weights.Length != parameters.Count || first.Length != parameters.Count || second.Length != parameters.Count) return null;
            var at = new TrainingCounters(
                int.Parse(file.Metadata["step"], CultureInfo.InvariantCulture), long.Parse(file.Metadata["tokens"], CultureInfo.InvariantCulture),
                double.Parse(file.Metadata["seconds"], CultureInfo.InvariantCulture), double.Parse(file.Metadata["loss"], CultureInfo.InvariantCulture));
            weights.CopyTo(parameters.Values);
            first.CopyTo(optimizer.FirstMoment, 0);
            second.CopyTo(optimizer.SecondMoment, 0);
            return at;
        }
        catch (Exception e) when (e is InvalidModelException or KeyNotFoundException or FormatException)
        {
            return null;
        }
    }
}

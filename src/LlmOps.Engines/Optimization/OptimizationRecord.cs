using System.Text.Json;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Optimization;

/// <summary>Kept as <c>optimization.json</c> beside an offline-optimised graph: under which conditions it was made.</summary>
/// <param name="OnnxRuntime">Version of ONNX Runtime.</param>
/// <param name="Provider">Execution provider that the graph was optimised for.</param>
/// <param name="Level">Basic, Extended, Layout or All.</param>
/// <param name="CpuFeatures">Instruction sets of the processor, of those that ONNX Runtime's kernels choose by.</param>
/// <param name="Options">Session options that change what the optimiser does, by ONNX Runtime's names; null in records of before.</param>
public sealed record OptimizationRecord(string OnnxRuntime, string Provider, string Level, IReadOnlyList<string> CpuFeatures, IReadOnlyDictionary<string, string>? Options = null)
{
    internal const string FileName = "optimization.json", CpuProvider = "CPUExecutionProvider", StorePrepacked = "session.save_external_prepacked_constant_initializers";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal void Write(string folder) => File.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, Indented));

    /// <summary>The record of a folder, or null when its graph was not optimised offline.</summary>
    /// <exception cref="InvalidModelException">The record is damaged.</exception>
    public static OptimizationRecord? Find(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<OptimizationRecord>(File.ReadAllText(path)) : null;
        }
        catch (JsonException e)
        {
            throw new InvalidModelException($"{FileName} is damaged: {e.Message}");
        }
    }

    /// <summary>
    /// What keeps the graph from being used here, in words; null when nothing does. Another version may lack or change the runtime's own
    /// operators that an optimised graph is made of. Layout and All bind a graph to one processor family; Basic and Extended are portable.
    /// </summary>
    /// <param name="provider">Execution provider that the session is going to use.</param>
    public string? Conflict(string provider = CpuProvider)
    {
        List<string> reasons = [];
        if (OnnxRuntime != OrtEnv.Instance().GetVersionString())
            reasons.Add($"it was optimised by ONNX Runtime {OnnxRuntime}, and {OrtEnv.Instance().GetVersionString()} runs here");
        if (Provider != provider)
            reasons.Add($"it was optimised for {Provider}, and {provider} is used here");
        var prepacked = Options?.GetValueOrDefault(StorePrepacked) == "1";
        if ((prepacked || Level is "Layout" or "All") && !CpuFeatures.SequenceEqual(Optimization.CpuFeatures.Here))
            reasons.Add($"it was optimised at level {Level}{(prepacked ? " with packed weights" : "")} for a processor with {string.Join(", ", CpuFeatures)}, and this one has {string.Join(", ", Optimization.CpuFeatures.Here)}");
        return reasons.Count == 0 ? null : string.Join("; ", reasons);
    }

    /// <exception cref="InvalidModelException">The graph was optimised under conditions that do not hold here.</exception>
    internal static void EnsureUsableHere(string folder, string provider = CpuProvider)
    {
        if (Find(folder)?.Conflict(provider) is { } conflict)
            throw new InvalidModelException($"The optimised graph cannot be used here: {conflict}. Rebuild it here from its source with GraphOptimization, or at level Extended for several processors.");
    }
}

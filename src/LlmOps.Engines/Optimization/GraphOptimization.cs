using System.Diagnostics;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Optimization;

/// <summary>
/// Lets ONNX Runtime optimise a graph once and keeps the result, so that a session does not have to do it at every start. Load the
/// result with <see cref="SessionSettings.OptimizationLevel"/> None to profit.
/// </summary>
/// <param name="Level">Basic, Extended, Layout or All. Extended is the highest that is portable between processors.</param>
/// <param name="Options">More session options for the optimiser, by ONNX Runtime's names, for example <c>optimization.enable_gelu_approximation</c>.</param>
public sealed record GraphOptimization(string Level = "Extended", IReadOnlyDictionary<string, string>? Options = null)
{
    /// <summary>
    /// Stores beside the weights the form into which the kernels pack them, so that a start does not have to: with it, a start of the model in the benchmarks took half the
    /// time. It can double the file, and binds it to processors with the same instruction sets.
    /// </summary>
    public bool StorePrepacked { get; init; }

    // Fusions reorder floating-point sums; anything beyond that is a wrong graph. Quantized graphs round differently when fused.
    private const double LargestRelativeL2 = 0.05;

    /// <summary>Reads an ONNX folder or any ONNX file, writes the optimised one, opens it in a fresh process and compares it with the source.</summary>
    /// <exception cref="ArgumentException">The level is not one of the four.</exception>
    /// <exception cref="InvalidModelException">The source does not open, or the result differs from it.</exception>
    public OptimizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        if (OnnxSession.Level(Level) == GraphOptimizationLevel.ORT_DISABLE_ALL)
            throw new ArgumentException("Level None changes nothing; use Basic, Extended, Layout or All.");
        var clock = Stopwatch.StartNew();
        using var source = OnnxModel.Load(sourceFolder);
        using var staged = new StagedFolder(source.Folder, targetFolder);
        var settings = new SessionSettings(OptimizationLevel: Level);
        var extra = new Dictionary<string, string>(Options ?? new Dictionary<string, string>());
        if (StorePrepacked)
            extra[OptimizationRecord.StorePrepacked] = "1";
        using (var options = OnnxSession.Options(settings))
        {
            options.OptimizedModelFilePath = Path.Combine(staged.Path, OnnxModel.FileName);
            options.AddSessionConfigEntry("session.optimized_model_external_initializers_file_name", OnnxModel.DataFileName);
            options.AddSessionConfigEntry("session.optimized_model_external_initializers_min_size_in_bytes", "1024");
            foreach (var (key, value) in extra)
                options.AddSessionConfigEntry(key, value);
            OnnxSession.Translate(() => new InferenceSession(source.Path, options), source.Label).Dispose();
        }
        progress?.Report(0.5);
        ct.ThrowIfCancellationRequested();
        staged.CopyCompanions(source.Folder);
        var record = new OptimizationRecord(OrtEnv.Instance().GetVersionString(), OptimizationRecord.CpuProvider, Name(Level), CpuFeatures.Here, extra);
        record.Write(staged.Path);

        var difference = ReloadCheck.Compare(sourceFolder, staged.Path, new SessionSettings(OptimizationLevel: "None"), ct);
        if (difference.RelativeL2 > LargestRelativeL2)
            throw new InvalidModelException($"The optimised graph differs from its source by {difference.RelativeL2:g2} (relative L2 of the logits).");
        using var optimised = OnnxModel.Load(staged.Path);
        var report = new OptimizationReport(record, source.Proto.Graph.Node.Count, optimised.Proto.Graph.Node.Count,
            source.SizeOnDisk(), OnnxModel.SizeBytes(staged.Path), difference.MaxAbs, difference.RelativeL2, clock.Elapsed.TotalSeconds, difference.FreshProcess);
        staged.Commit();
        progress?.Report(1);
        return report;
    }

    private static string Name(string level) => char.ToUpperInvariant(level[0]) + level[1..].ToLowerInvariant();
}

/// <summary>What an optimisation changed.</summary>
/// <param name="Record">Under which conditions; also stored as <c>optimization.json</c>.</param>
/// <param name="NodesBefore">Nodes of the source graph.</param>
/// <param name="NodesAfter">Nodes of the result.</param>
/// <param name="SourceBytes">Graph and weights before.</param>
/// <param name="TargetBytes">Graph and weights after.</param>
/// <param name="MaxAbsDifference">Largest difference of a logit on random tokens, or of an output on random inputs.</param>
/// <param name="RelativeL2">Norm of the difference over the norm of the source's logits.</param>
/// <param name="Seconds">Wall-clock time, the check included.</param>
/// <param name="FreshProcess">The result was loaded and run in a process of its own; false when this program does not call <see cref="Benchmarking.Probe.TryMain"/>.</param>
public sealed record OptimizationReport(OptimizationRecord Record, int NodesBefore, int NodesAfter, long SourceBytes, long TargetBytes,
    double MaxAbsDifference, double RelativeL2, double Seconds, bool FreshProcess = false);

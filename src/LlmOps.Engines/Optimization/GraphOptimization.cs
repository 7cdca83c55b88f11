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
public sealed record GraphOptimization(string Level = "Extended")
{
    // Fusions reorder floating-point sums; anything beyond that is a wrong graph. Quantized graphs round differently when fused.
    private const double LargestRelativeL2 = 0.05;

    /// <summary>Reads an ONNX folder, writes the optimised one, opens it and compares it with the source.</summary>
    /// <exception cref="ArgumentException">The level is not one of the four.</exception>
    /// <exception cref="InvalidModelException">The source does not open, or the result differs from it.</exception>
    public OptimizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        if (OnnxSession.Level(Level) == GraphOptimizationLevel.ORT_DISABLE_ALL)
            throw new ArgumentException("Level None changes nothing; use Basic, Extended, Layout or All.");
        var clock = Stopwatch.StartNew();
        using var source = OnnxModel.Load(sourceFolder);
        using var staged = new StagedFolder(sourceFolder, targetFolder);
        var settings = new SessionSettings(OptimizationLevel: Level);
        using (var options = OnnxSession.Options(settings))
        {
            options.OptimizedModelFilePath = Path.Combine(staged.Path, OnnxModel.FileName);
            options.AddSessionConfigEntry("session.optimized_model_external_initializers_file_name", OnnxModel.DataFileName);
            options.AddSessionConfigEntry("session.optimized_model_external_initializers_min_size_in_bytes", "1024");
            OnnxSession.Translate(() => new InferenceSession(Path.Combine(sourceFolder, OnnxModel.FileName), options)).Dispose();
        }
        progress?.Report(0.5);
        ct.ThrowIfCancellationRequested();
        staged.CopyCompanions(sourceFolder);
        var record = new OptimizationRecord(OrtEnv.Instance().GetVersionString(), "CPUExecutionProvider", Name(Level), OptimizationRecord.FeaturesHere());
        record.Write(staged.Path);

        var difference = ReloadCheck.Compare(sourceFolder, staged.Path, new SessionSettings(OptimizationLevel: "None"), ct);
        if (difference.RelativeL2 > LargestRelativeL2)
            throw new InvalidModelException($"The optimised graph differs from its source by {difference.RelativeL2:g2} (relative L2 of the logits).");
        using var optimised = OnnxModel.Load(staged.Path);
        var report = new OptimizationReport(record, source.Proto.Graph.Node.Count, optimised.Proto.Graph.Node.Count,
            OnnxModel.SizeBytes(sourceFolder), OnnxModel.SizeBytes(staged.Path), difference.MaxAbs, difference.RelativeL2, clock.Elapsed.TotalSeconds);
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
/// <param name="MaxAbsDifference">Largest difference of a logit on random tokens.</param>
/// <param name="RelativeL2">Norm of the difference over the norm of the source's logits.</param>
/// <param name="Seconds">Wall-clock time, the check included.</param>
public sealed record OptimizationReport(OptimizationRecord Record, int NodesBefore, int NodesAfter, long SourceBytes, long TargetBytes,
    double MaxAbsDifference, double RelativeL2, double Seconds);

using System.Security.Cryptography;
using System.Text;
using LlmOps.Engines.Optimization;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Inference;

/// <summary>Copies of ONNX folders as ONNX Runtime leaves them after optimisation, made at the first use: what is loaded again and again is optimised once.</summary>
internal static class OptimizedCopy
{
    /// <summary>Opens the copy of a folder, and makes it before when there is none for these files, this runtime and this processor.</summary>
    /// <param name="folder">The ONNX folder.</param>
    /// <param name="copies">Where the copies are kept; for one process at a time.</param>
    /// <param name="settings">Their level is the copy's.</param>
    public static TextGenerator Load(string folder, string copies, SessionSettings settings)
    {
        // A copy has one graph, made for the processor.
        if (!settings.Provider.IsCpu || File.Exists(Path.Combine(folder, DecoderSession.PrefillFileName)) || OptimizationRecord.Find(folder) is not null
            || OnnxSession.Level(settings.OptimizationLevel) == GraphOptimizationLevel.ORT_DISABLE_ALL)
            return TextGenerator.Load(folder, settings);
        var copy = Path.Combine(copies, Name(folder, settings.OptimizationLevel));
        if (!Directory.Exists(copy))
            new GraphOptimization(settings.OptimizationLevel).Run(folder, copy);
        return TextGenerator.Load(copy, settings with { OptimizationLevel = "None" });
    }

    // Size and time stand for the content: reading gigabytes to hash them would take longer than what the copy saves.
    private static string Name(string folder, string level)
    {
        var text = new StringBuilder().AppendJoin('\n', level.ToUpperInvariant(), OrtEnv.Instance().GetVersionString(), string.Join(' ', CpuFeatures.Here));
        foreach (var file in new DirectoryInfo(folder).EnumerateFiles().OrderBy(f => f.Name, StringComparer.Ordinal))
            text.Append('\n').AppendJoin(' ', file.FullName, file.Length, file.LastWriteTimeUtc.Ticks);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, 16));
    }
}

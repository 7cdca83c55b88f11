using LlmOps.Engines.Onnx;
using LlmOps.Engines.Optimization;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Inference;

/// <summary>Opens ONNX Runtime sessions and puts its failures into this library's words.</summary>
internal static class OnnxSession
{
    public static InferenceSession Open(string folder, SessionSettings settings, string fileName = OnnxModel.FileName)
    {
        var path = Path.Combine(folder, fileName);
        if (!File.Exists(path))
            throw new InvalidModelException($"There is no {fileName} in '{Path.GetFileName(Path.TrimEndingDirectorySeparator(folder))}'.");
        return OpenFile(path, settings);
    }

    public static InferenceSession OpenFile(string path, SessionSettings settings, Action<SessionOptions>? change = null)
    {
        if (!File.Exists(path))
            throw new InvalidModelException($"There is no file '{Path.GetFileName(path)}'.");
        OptimizationRecord.EnsureUsableHere(Path.GetDirectoryName(path)!, settings.Provider.RuntimeName);
        using var options = Options(settings);
        change?.Invoke(options);
        try
        {
            return Translate(() => new InferenceSession(path, options), Path.GetFileName(path));
        }
        catch (InvalidModelException e) when (!settings.Provider.IsCpu && e.Message.Contains("CPU EP", StringComparison.OrdinalIgnoreCase))
        {
            throw new UnsupportedModelException($"Execution provider '{settings.Provider.Name}' cannot run all of {Path.GetFileName(path)}, and AllowCpuNodes does not let the processor help. {e.Message}", e);
        }
    }

    public static SessionOptions Options(SessionSettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(settings.Threads);
        var options = new SessionOptions
        {
            GraphOptimizationLevel = Level(settings.OptimizationLevel),
            IntraOpNumThreads = settings.Threads == 0 ? Environment.ProcessorCount : settings.Threads,
            InterOpNumThreads = 1,
            EnableCpuMemArena = settings.MemoryArena,
            // Planned memory is per shape, and every prompt has its own shape.
            EnableMemoryPattern = false,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        try
        {
            // Packing weights for the kernels is most of a start; ONNX Runtime does it on one thread unless asked.
            options.AddSessionConfigEntry("session.prepack.enable_parallel", "1");
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", settings.AllowSpinning ? "1" : "0");
            foreach (var (key, value) in settings.Entries ?? new Dictionary<string, string>())
                options.AddSessionConfigEntry(key, value);
            settings.Provider.AppendTo(options);
            return options;
        }
        catch
        {
            options.Dispose();
            throw;
        }
    }

    public static GraphOptimizationLevel Level(string name) => name.ToUpperInvariant() switch
    {
        "NONE" or "DISABLED" => GraphOptimizationLevel.ORT_DISABLE_ALL,
        "BASIC" => GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "EXTENDED" => GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        "LAYOUT" => GraphOptimizationLevel.ORT_ENABLE_LAYOUT,
        "ALL" => GraphOptimizationLevel.ORT_ENABLE_ALL,
        _ => throw new ArgumentException($"'{name}' is no optimisation level; use None, Basic, Extended, Layout or All."),
    };

    public static T Translate<T>(Func<T> open, string label = "the model")
    {
        try
        {
            return open();
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidModelException($"ONNX Runtime cannot use {label}: {e.Message}");
        }
    }
}

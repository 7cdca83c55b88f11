using System.Runtime.CompilerServices;
using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Onnx;
using LlmOps.TestKit;

[assembly: AssemblyFixture(typeof(LlmOps.Engines.Tests.ExportedModels))]

namespace LlmOps.Engines.Tests;

/// <summary>Two tiny checkpoints and their exports, made once for all tests that only read them.</summary>
public sealed class ExportedModels : IDisposable
{
    public ExportedModels()
    {
        TinyModels.WriteLlama(Tied);
        TinyModels.WriteLlama(Untied, seed: 2, tied: false);
        new DecoderExport().Run(Tied, TiedOnnx);
        new DecoderExport().Run(Untied, UntiedOnnx);
    }

    public string Root { get; } = Directory.CreateTempSubdirectory("llmops-onnx-").FullName;
    public string Tied => Path.Combine(Root, "tied");
    public string TiedOnnx => Path.Combine(Root, "tied-onnx");
    public string Untied => Path.Combine(Root, "untied");
    public string UntiedOnnx => Path.Combine(Root, "untied-onnx");

    /// <summary>A folder name that does not exist yet.</summary>
    public string New() => Path.Combine(Root, Guid.NewGuid().ToString("N"));

    /// <summary>A copy of a folder, for tests that damage it.</summary>
    public string Copy(string folder)
    {
        var copy = New();
        Directory.CreateDirectory(copy);
        foreach (var file in Directory.EnumerateFiles(folder))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        return copy;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    // The test program measures itself: Probe starts it again, and its generated Main knows nothing of that.
    [ModuleInitializer]
    internal static void Measure()
    {
        if (Probe.TryMain(Environment.GetCommandLineArgs()[1..]))
            Environment.Exit(Environment.ExitCode);
    }
}

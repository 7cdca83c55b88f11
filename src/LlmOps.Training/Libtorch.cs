using System.Runtime.InteropServices;
using System.Text;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>
/// Puts a libtorch from a folder in the place of the one that comes with the program. Libraries are found by the name that is written in them, so whatever was
/// loaded first under libtorch's names serves the wrapper as well; that only must happen before anything else touches it.
/// </summary>
internal static class Libtorch
{
    private const int Now = 2, Global = 0x100;

    /// <summary>Loads the folder's libraries and checks that the wrapper fits them.</summary>
    /// <exception cref="PlatformNotSupportedException">The folder holds no libtorch for CUDA, or another version than the wrapper was made for.</exception>
    public static void Load(string folder)
    {
        if (!OperatingSystem.IsLinux()) throw new PlatformNotSupportedException("A libtorch of one's own can be named on Linux only. Clear Worker__LibtorchFolder.");
        string[] files = [.. new[] { "libtorch_cuda.so", "libtorch.so" }.Select(name => Path.Combine(folder, name))];
        if (files.FirstOrDefault(f => !File.Exists(f)) is { } missing)
        {
            throw new PlatformNotSupportedException(
                $"Worker__LibtorchFolder is {folder}, but {Path.GetFileName(missing)} is not in it. Name the lib folder of a libtorch {torch.__version__} built for CUDA, or clear the setting to train on the processor.");
        }
        foreach (string file in files)
        {
            if (Open(file, Now | Global) == 0) throw new PlatformNotSupportedException($"The libtorch in {folder} cannot be loaded: {Problem()}. Install what it needs, or clear Worker__LibtorchFolder to train on the processor.");
        }
        Stand(folder);
        // All names at once: a missing one would otherwise end the process when it is first called.
        if (Open(Wrapper(), Now) == 0)
            throw new PlatformNotSupportedException($"The libtorch in {folder} is another version than {torch.__version__}, which this program was made for: {Problem()}. Name the lib folder of that version.");
    }

    private static string Wrapper()
    {
        const string name = "libLibTorchSharp.so";
        string[] places = [AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native")];
        return places.Select(p => Path.Combine(p, name)).FirstOrDefault(File.Exists) ?? throw new PlatformNotSupportedException($"{name} is not beside the program; publish it again.");
    }

    // TorchSharp first loads "torch_cpu" by name, and the runtime would find the program's own libtorch_cpu.so: a second copy of a library that refuses to be there
    // twice. It asks the loader for "torch_cpu.so" before that; so a library is put there that calls itself so and only leads to those of the folder.
    private static void Stand(string folder)
    {
        string file = Path.Combine(Path.GetTempPath(), $"llmops-{Environment.ProcessId}-torch_cpu.so");
        try
        {
            File.WriteAllBytes(file, ElfName.AsSuffixOfNeeded(File.ReadAllBytes(Path.Combine(folder, "libtorch.so")), "libtorch_cpu.so", "torch_cpu.so"));
            if (Open(file, Now | Global) == 0) throw new PlatformNotSupportedException($"The libtorch in {folder} cannot be put in the place of the program's own: {Problem()}. Clear Worker__LibtorchFolder to train on the processor.");
        }
        catch (InvalidDataException e)
        {
            throw new PlatformNotSupportedException($"The libtorch.so in {folder} is of an unknown form: {e.Message}. Name the lib folder of a libtorch {torch.__version__}.", e);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static nint Open(string path, int flags) => OpenLibrary(Encoding.UTF8.GetBytes(path + "\0"), flags);

    private static string Problem() => Marshal.PtrToStringUTF8(Error()) ?? "no reason given";

    [DllImport("libdl.so.2", EntryPoint = "dlopen", ExactSpelling = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern nint OpenLibrary(byte[] path, int flags);

    [DllImport("libdl.so.2", EntryPoint = "dlerror", ExactSpelling = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern nint Error();
}

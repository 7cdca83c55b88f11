using System.Reflection;
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
        // All names at once: a missing one would otherwise end the process when it is first called.
        if (Open(Wrapper(), Now) == 0)
            throw new PlatformNotSupportedException($"The libtorch in {folder} is another version than {torch.__version__}, which this program was made for: {Problem()}. Name the lib folder of that version.");
        MarkLoaded();
    }

    private static string Wrapper()
    {
        const string name = "libLibTorchSharp.so";
        string[] places = [AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native")];
        return places.Select(p => Path.Combine(p, name)).FirstOrDefault(File.Exists) ?? throw new PlatformNotSupportedException($"{name} is not beside the program; publish it again.");
    }

    /// <summary>TorchSharp would load its own libtorch_cpu.so by its path beside ours: two copies of one library that do not know each other's types.</summary>
    private static void MarkLoaded()
    {
        foreach (string name in (string[])["nativeBackendLoaded", "nativeBackendCudaLoaded"])
        {
            FieldInfo field = typeof(torch).GetField(name, BindingFlags.NonPublic | BindingFlags.Static)
                ?? throw new PlatformNotSupportedException("This version of TorchSharp loads libtorch in another way; Worker__LibtorchFolder cannot be used with it.");
            field.SetValue(null, true);
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

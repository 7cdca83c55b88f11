using System.Runtime.InteropServices;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>The native libtorch library of this process: loaded, checked and given its number of threads in one place.</summary>
public static class TorchRuntime
{
    private static readonly Lock Gate = new();
    private static bool started;

    /// <summary>
    /// libgomp's threads spin while they wait for each other; with another process on the same cores a training step then takes several times as
    /// long (3.6 times was measured, against about 6 % lost on an idle machine). libgomp reads this once, when it is loaded, from the C
    /// environment, which .NET's own copy does not reach. What the user has set stays.
    /// </summary>
    static TorchRuntime()
    {
        if (OperatingSystem.IsLinux())
            _ = SetEnvironment("GOMP_SPINCOUNT\0"u8.ToArray(), "0\0"u8.ToArray(), 0);
    }

    [DllImport("libc", EntryPoint = "setenv", ExactSpelling = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int SetEnvironment(byte[] name, byte[] value, int overwrite);

    /// <summary>Folder of a libtorch built for CUDA that is loaded in the place of the program's own; null for that one. Set it before the first <see cref="Start"/>.</summary>
    public static string? LibtorchFolder { get; set; }

    /// <summary>Number of threads that tensor operations use; 0 before the first <see cref="Start"/>.</summary>
    public static int Threads { get; private set; }

    /// <summary>
    /// Loads libtorch and sets the number of threads of its operations. Call it before the first tensor; repeating it with the same number does
    /// nothing. Results are bit-for-bit reproducible only for one number of threads.
    /// </summary>
    /// <param name="threads">Threads for one operation; 0 takes the number of processors.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is negative.</exception>
    /// <exception cref="PlatformNotSupportedException">The native library is missing or cannot be loaded; the message says what to do.</exception>
    public static void Start(int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        int wanted = threads == 0 ? Environment.ProcessorCount : threads;
        lock (Gate)
        {
            if (started && Threads == wanted) return;
            if (!started && LibtorchFolder is { Length: > 0 } folder) Libtorch.Load(folder);
            try
            {
                torch.InitializeDeviceType(DeviceType.CPU);
                torch.set_num_threads(wanted);
                if (!started) torch.set_num_interop_threads(1); // libtorch refuses a second call
            }
            catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or NotSupportedException or BadImageFormatException)
            {
                throw new PlatformNotSupportedException(
                    "The native libtorch library cannot be loaded. Executables need the package libtorch-cpu for their platform and, on Linux x64, the patched " +
                    "libLibTorchSharp.so that build/TorchNative.targets puts into the output; delete stale 'cpu' folders below bin and build again. Cause: " +
                    (e.InnerException ?? e).Message, e);
            }
            Threads = wanted;
            started = true;
        }
    }

    /// <summary>The device of a training, once libtorch is started.</summary>
    /// <exception cref="PlatformNotSupportedException">It is a GPU, and no libtorch for CUDA is named or it finds none; the message says what to do.</exception>
    internal static torch.Device DeviceOf(TrainingDevice device)
    {
        if (device == TrainingDevice.Cpu) return torch.CPU;
        if (LibtorchFolder is not { Length: > 0 } folder)
        {
            throw new PlatformNotSupportedException(
                $"The device is cuda, and this worker has no libtorch for it: set Worker__LibtorchFolder to the lib folder of a libtorch {torch.__version__} built for CUDA, or choose the device cpu.");
        }
        if (!torch.cuda_is_available()) throw new PlatformNotSupportedException($"The device is cuda, and the libtorch in {folder} finds no GPU: check the NVIDIA driver (nvidia-smi), or choose the device cpu.");
        return torch.CUDA;
    }
}

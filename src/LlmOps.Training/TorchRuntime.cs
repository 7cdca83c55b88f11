using TorchSharp;

namespace LlmOps.Training;

/// <summary>The native libtorch library of this process: loaded, checked and given its number of threads in one place.</summary>
public static class TorchRuntime
{
    private static readonly Lock Gate = new();
    private static bool started;

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
}

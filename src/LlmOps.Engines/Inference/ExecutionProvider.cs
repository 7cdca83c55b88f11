using System.Globalization;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Inference;

/// <summary>The hardware that a session computes on.</summary>
/// <param name="Name"><c>cpu</c> or <c>cuda</c>.</param>
/// <param name="DeviceId">Which of several devices, from 0.</param>
public sealed record ExecutionProvider(string Name, int DeviceId = 0)
{
    /// <summary>The processor.</summary>
    public static ExecutionProvider Cpu { get; } = new("cpu");

    /// <summary>An NVIDIA graphics card.</summary>
    public static ExecutionProvider Cuda(int deviceId = 0) => new("cuda", deviceId);

    /// <summary>Most bytes of device memory that the session's arena takes (<c>gpu_mem_limit</c>); null means all.</summary>
    public long? MemoryLimitBytes { get; init; }

    /// <summary>How the device's arena grows: kSameAsRequested wastes no memory, kNextPowerOfTwo asks for it less often.</summary>
    public string ArenaStrategy { get; init; } = "kSameAsRequested";

    /// <summary>Matrix products of 32-bit floats with 10-bit fractions on tensor cores: several times faster, slightly different results.</summary>
    public bool Tf32 { get; init; } = true;

    /// <summary>Copies wait for computation. Off lets them overlap, with a stream of their own; ONNX Runtime had races there, so measure and compare first.</summary>
    public bool CopyInDefaultStream { get; init; } = true;

    /// <summary>Search for convolution algorithms: DEFAULT, HEURISTIC or EXHAUSTIVE. Language models have no convolutions.</summary>
    public string CudnnSearch { get; init; } = "HEURISTIC";

    /// <summary>
    /// Captures the step of one token once for each cache and replays it, which saves launching its kernels one by one. Only for graphs that append to
    /// their cache in place; ONNX Runtime refuses graphs with control flow or nodes on the processor.
    /// </summary>
    public bool CudaGraph { get; init; }

    /// <summary>
    /// Lets nodes run on the processor. ONNX Runtime places arithmetic on shapes there by itself, and unless this allows it, refuses a graph that has any.
    /// </summary>
    public bool AllowCpuNodes { get; init; }

    /// <summary>Any further option of the provider, by ONNX Runtime's name; wins over the properties above.</summary>
    public IReadOnlyDictionary<string, string>? Options { get; init; }

    internal bool IsCpu => Name == "cpu";

    internal string RuntimeName => IsCpu ? "CPUExecutionProvider" : "CUDAExecutionProvider";

    /// <summary>The whole dictionary at once: ONNX Runtime resets every option that an update does not name.</summary>
    internal Dictionary<string, string> ToOptions()
    {
        var options = new Dictionary<string, string>
        {
            ["device_id"] = DeviceId.ToString(CultureInfo.InvariantCulture),
            ["arena_extend_strategy"] = ArenaStrategy,
            ["use_tf32"] = Tf32 ? "1" : "0",
            ["do_copy_in_default_stream"] = CopyInDefaultStream ? "1" : "0",
            ["cudnn_conv_algo_search"] = CudnnSearch,
        };
        if (MemoryLimitBytes is { } limit)
            options["gpu_mem_limit"] = limit.ToString(CultureInfo.InvariantCulture);
        if (CudaGraph)
            options["enable_cuda_graph"] = "1";
        foreach (var (key, value) in Options ?? new Dictionary<string, string>())
            options[key] = value;
        return options;
    }

    /// <exception cref="ArgumentException">A value is outside of its range.</exception>
    /// <exception cref="UnsupportedModelException">This program or machine does not have the provider.</exception>
    internal void AppendTo(SessionOptions session)
    {
        Ensure();
        if (IsCpu)
            return;
        EnsureAvailable(OrtEnv.Instance().GetAvailableProviders());
        session.AddSessionConfigEntry("session.disable_cpu_ep_fallback", AllowCpuNodes ? "0" : "1");
        try
        {
            using var cuda = new OrtCUDAProviderOptions();
            cuda.UpdateOptions(ToOptions());
            session.AppendExecutionProvider_CUDA(cuda);
        }
        catch (OnnxRuntimeException e)
        {
            throw Missing($"it does not start on device {DeviceId}: {e.Message}", e);
        }
    }

    internal void EnsureAvailable(IReadOnlyList<string> providers)
    {
        if (!IsCpu && !providers.Contains(RuntimeName))
            throw Missing($"the ONNX Runtime beside this program has only {string.Join(", ", providers)}");
    }

    private void Ensure()
    {
        if (Name is not ("cpu" or "cuda"))
            throw new ArgumentException($"'{Name}' is no execution provider; use cpu or cuda.");
        ArgumentOutOfRangeException.ThrowIfNegative(DeviceId);
        if (IsCpu && (CudaGraph || MemoryLimitBytes is not null))
            throw new ArgumentException("CudaGraph and MemoryLimitBytes are for a device; the provider cpu has neither.");
        if (IsCpu && DeviceId != 0)
            throw new ArgumentException($"The provider cpu has only device 0, not {DeviceId}.");
        if (MemoryLimitBytes is <= 0)
            throw new ArgumentException("MemoryLimitBytes must be positive, or null for all memory.");
        if (ArenaStrategy is not ("kSameAsRequested" or "kNextPowerOfTwo"))
            throw new ArgumentException($"'{ArenaStrategy}' is no arena strategy; use kSameAsRequested or kNextPowerOfTwo.");
        if (CudnnSearch is not ("DEFAULT" or "HEURISTIC" or "EXHAUSTIVE"))
            throw new ArgumentException($"'{CudnnSearch}' is no search; use DEFAULT, HEURISTIC or EXHAUSTIVE.");
    }

    private UnsupportedModelException Missing(string what, Exception? inner = null) => new(
        $"Execution provider '{Name}' cannot be used here: {what.TrimEnd('.')}. It needs a program built with -p:OnnxRuntimeFlavor=gpu (package Microsoft.ML.OnnxRuntime.Gpu), an NVIDIA driver, CUDA 12 and cuDNN 9; or choose the provider cpu.", inner!);

    /// <summary>Where keys and values lie, and where token ids and logits pass between this process and the device.</summary>
    internal (TensorMemory Cache, TensorMemory Transfer) Memories(InferenceSession session) => IsCpu
        ? (TensorMemory.Host, TensorMemory.Host)
        : (TensorMemory.Of(session, "Cuda", DeviceId, OrtMemType.Default, readable: false), TensorMemory.Of(session, "CudaPinned", DeviceId, OrtMemType.CpuOutput, readable: true));
}

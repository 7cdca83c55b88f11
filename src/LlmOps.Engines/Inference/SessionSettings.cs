namespace LlmOps.Engines.Inference;

/// <summary>How ONNX Runtime runs a model.</summary>
/// <param name="Threads">Threads of one session; 0 means one per processor that this process may use, which respects container limits.</param>
/// <param name="AllowSpinning">Waiting threads burn their core for lower latency (decoding was about a third faster where it was measured): only for a
/// machine that serves one model and nothing else. Several sessions that spin take the cores from each other.</param>
/// <param name="OptimizationLevel">None (or Disabled), Basic, Extended, Layout or All. A folder that was optimised offline can be loaded with None.</param>
/// <param name="MemoryArena">Keeps freed memory for the next call: faster, but the process does not shrink.</param>
public sealed record SessionSettings(int Threads = 0, bool AllowSpinning = false, string OptimizationLevel = "All", bool MemoryArena = true)
{
    /// <summary>What computes. There is no silent fallback: where the provider cannot run the whole graph, opening fails.</summary>
    public ExecutionProvider Provider { get; init; } = ExecutionProvider.Cpu;

    /// <summary>Memory for the keys and values of finished sequences, whose beginnings are reused by later prompts; 0 reuses nothing.</summary>
    public long PrefixCacheBytes { get; init; } = 256L << 20;

    /// <summary>
    /// After loading, moves this process's memory into pages of 2 MiB (Linux 6.1 or newer; nothing happens elsewhere): decoding is faster, loading takes a little longer, and
    /// the process may take a few megabytes more. For a process that serves one model.
    /// </summary>
    public bool HugePages { get; init; }

    /// <summary>Further session configuration entries of ONNX Runtime, such as <c>session.intra_op_thread_affinities</c>.</summary>
    public IReadOnlyDictionary<string, string>? Entries { get; init; }
}

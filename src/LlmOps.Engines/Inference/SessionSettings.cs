namespace LlmOps.Engines.Inference;

/// <summary>How ONNX Runtime runs a model on the CPU.</summary>
/// <param name="Threads">Threads of one session; 0 means one per processor that this process may use, which respects container limits.</param>
/// <param name="AllowSpinning">Waiting threads burn their core for lower latency: only for a machine that serves one model and nothing else.</param>
/// <param name="OptimizationLevel">None (or Disabled), Basic, Extended, Layout or All. A folder that was optimised offline can be loaded with None.</param>
/// <param name="MemoryArena">Keeps freed memory for the next call: faster, but the process does not shrink.</param>
public sealed record SessionSettings(int Threads = 0, bool AllowSpinning = false, string OptimizationLevel = "All", bool MemoryArena = true);

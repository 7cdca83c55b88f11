namespace LlmOps.Engines.Benchmarking;

/// <summary>What to measure.</summary>
/// <param name="Folder">An ONNX folder with tokenizer.</param>
/// <param name="Repeats">Fresh processes; each gives one value of every measure.</param>
/// <param name="PromptTokens">Length of the random prompt.</param>
/// <param name="NewTokens">Tokens to generate; the end token is suppressed so that every run does the same work.</param>
/// <param name="OptimizationLevel">None (or Disabled), Basic, Extended, Layout or All.</param>
/// <param name="Threads">Threads of the session; 0 means one per processor.</param>
/// <param name="Program">The executable or .dll to start; null means this program. It has to call <see cref="Probe.TryMain"/>: a test program, whose
/// Main is generated, names the product's own here.</param>
public sealed record ProbeRequest(string Folder, int Repeats = 3, int PromptTokens = 64, int NewTokens = 32, string OptimizationLevel = "All", int Threads = 0,
    string? Program = null);

/// <summary>Measured values, one per fresh process.</summary>
/// <param name="LoadMs">From nothing to ready: tokenizer and session, in milliseconds.</param>
/// <param name="FirstTokenMs">The first request of the process until its first token, in milliseconds.</param>
/// <param name="PrefillTokensPerSecond">Prompt tokens over the time to the first token, second request.</param>
/// <param name="DecodeTokensPerSecond">Tokens after the first over their time, second request; empty when only one token is asked for.</param>
/// <param name="LatencyMs">The whole second request, in milliseconds.</param>
/// <param name="PeakMemoryBytes">Largest resident memory of the process, runtime included (VmHWM on Linux).</param>
/// <param name="BaselineMemoryBytes">The same just before loading: what the process needs without a model.</param>
public sealed record ProbeReport(double[] LoadMs, double[] FirstTokenMs, double[] PrefillTokensPerSecond, double[] DecodeTokensPerSecond, double[] LatencyMs,
    double[] PeakMemoryBytes, double[] BaselineMemoryBytes);

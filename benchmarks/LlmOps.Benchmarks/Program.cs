using BenchmarkDotNet.Running;
using LlmOps.Benchmarks;
using LlmOps.Engines.Benchmarking;

// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- --filter '*'
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- quantize FOLDER rtn
if (Probe.TryMain(args))
    return;
if (args is [QuantizationScale.Command, var folder, var method])
    QuantizationScale.Run(folder, method);
else
    BenchmarkSwitcher.FromAssembly(typeof(TextBenchmarks).Assembly).Run(args);

using BenchmarkDotNet.Running;
using LlmOps.Benchmarks;

// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- --filter '*'
BenchmarkSwitcher.FromAssembly(typeof(TextBenchmarks).Assembly).Run(args);

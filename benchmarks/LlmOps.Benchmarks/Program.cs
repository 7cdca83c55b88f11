using BenchmarkDotNet.Running;
using LlmOps.Benchmarks;
using LlmOps.Benchmarks.Training;
using LlmOps.Engines.Benchmarking;

// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- --filter '*'
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- quantize FOLDER rtn
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- compare sqlite 100000
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- contamination 10000 1000000
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- overhead 4000
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- mlflow log-batch sqlite 10
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- mlflow search postgres 100000
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- mlflow memory sqlite 600
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- otlp plain sqlite 10
// dotnet run -c Release --project benchmarks/LlmOps.Benchmarks -- training peer quickstart
if (Probe.TryMain(args))
    return;
if (args is [QuantizationScale.Command, var folder, var method])
    QuantizationScale.Run(folder, method);
else if (args is [ComparisonScale.Command, var provider, var rows])
    await ComparisonScale.RunAsync(provider, int.Parse(rows, System.Globalization.CultureInfo.InvariantCulture));
else if (args is [ContaminationScale.Command, var evaluation, var training])
    ContaminationScale.Run(int.Parse(evaluation, System.Globalization.CultureInfo.InvariantCulture), int.Parse(training, System.Globalization.CultureInfo.InvariantCulture));
else if (args is [EvaluationOverhead.Command, var count])
    await EvaluationOverhead.RunAsync(int.Parse(count, System.Globalization.CultureInfo.InvariantCulture));
else if (args is [MlflowLoad.Command, var what, var on, var amount])
    await MlflowLoad.RunAsync(what, on, int.Parse(amount, System.Globalization.CultureInfo.InvariantCulture));
else if (args is [OtlpLoad.Command, var packing, var store, var seconds])
    await OtlpLoad.RunAsync(packing, store, int.Parse(seconds, System.Globalization.CultureInfo.InvariantCulture));
else if (args is [TrainingBenchmarks.Command, ..])
    TrainingBenchmarks.Run(args[1..]);
else
    BenchmarkSwitcher.FromAssembly(typeof(TextBenchmarks).Assembly).Run(args);

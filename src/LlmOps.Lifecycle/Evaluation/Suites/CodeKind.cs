using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Programs that the model writes, run with each row's tests. A worker runs them only where its configuration says so.</summary>
public static class CodeKind
{
    public const string Name = "code";
    public const string DefaultInterpreter = "python3";
    public const int MostSamples = 200;

    public static TaskKind Kind { get; } = new(Name, "Whether programs that the model writes pass their tests.", ["prompt", "tests"],
    [
        new("pass@1", "share", true, "Chance that one program passes, from all samples of the row."),
        new("pass@k", "share", true, "Chance that one of k programs passes, without bias from n ≥ k samples."),
    ]);

    internal static SuiteTask Read(YamlReader y, SuiteTask task) => task with
    {
        Tests = SuiteDocument.Template(y, "tests"), Interpreter = y.Text("interpreter"), Samples = KindKeys.Whole(y, "samples", 1, MostSamples),
        TimeoutSeconds = y.Has("timeout_seconds") ? y.Number("timeout_seconds", 3, 0.1, 600) : null, MemoryMb = KindKeys.Whole(y, "memory_mb", 16, 65_536),
    };

    internal static void Check(YamlReader y, SuiteTask task)
    {
        var samples = task.Samples ?? 1;
        if (samples > 1 && task.Temperature == 0)
            y.Problem("samples", "without a temperature all samples of a row are the same program: set 'temperature' above 0.");
        if (task.Metrics.FirstOrDefault(m => MetricKind.K(m.Name) > samples) is { } metric)
            y.Problem("samples", $"{metric.Name} needs at least {MetricKind.K(metric.Name)} samples for each row.");
        if (task.FewShot > 0)
            y.Problem("few_shot", "solved examples are not put before a program: write them into the prompt.");
    }
}

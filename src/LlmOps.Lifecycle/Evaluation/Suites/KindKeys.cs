using System.Globalization;
using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Keys that only one kind of task has. A task of another kind has no such key, and says so.</summary>
internal static class KindKeys
{
    public static SuiteTask Read(YamlReader y, SuiteTask task) => task.Kind switch
    {
        CodeKind.Name => CodeKind.Read(y, task),
        RagKind.Name => RagKind.Read(y, task),
        LatencyKind.Name => LatencyKind.Read(y, task),
        SafetyKind.Name => SafetyKind.Read(y, task),
        JudgeKinds.Pairwise or JudgeKinds.Score => JudgeKinds.Read(y, task),
        _ => task,
    };

    public static void Check(YamlReader y, SuiteTask task)
    {
        Action<YamlReader, SuiteTask>? check = task.Kind switch { CodeKind.Name => CodeKind.Check, RagKind.Name => RagKind.Check, LatencyKind.Name => LatencyKind.Check, SafetyKind.Name => SafetyKind.Check, JudgeKinds.Pairwise or JudgeKinds.Score => JudgeKinds.Check, _ => null };
        check?.Invoke(y, task);
    }

    /// <summary>As they were written; a default that nobody wrote is left out.</summary>
    public static IEnumerable<(string Key, string? Text, double? Number)> Of(SuiteTask task) =>
    [
        ("tests", task.Tests, null), ("interpreter", task.Interpreter, null), ("samples", null, task.Samples), ("timeout_seconds", null, task.TimeoutSeconds), ("memory_mb", null, task.MemoryMb),
        ("knowledge", task.Knowledge, null), ("question", task.Question, null), ("relevant", task.Relevant, null), ("top_k", null, task.TopK), ("answers", task.Answers, null),
        ("warmup", null, task.Warmup), ("requests", null, task.Requests), ("threads", null, task.Threads), ("harmful", task.Harmful, null),
        ("judge", task.Judge, null), ("baseline", task.Baseline, null),
    ];

    public static int? Whole(YamlReader y, string key, int min, int max) => y.Has(key) ? y.Whole(key, min, min, max) : null;

    public static string? Template(YamlReader y, string key) => y.Has(key) ? SuiteDocument.Template(y, key) : null;
}

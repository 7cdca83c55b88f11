namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Time, speed and memory of answers, request by request, in a process that does nothing else.</summary>
public static class LatencyKind
{
    public const string Name = "latency";
    public const int DefaultWarmup = 2;

    public static TaskKind Kind { get; } = new(Name, "Time to the first token, speed of writing, and memory of each request, in a fresh process.", ["prompt"],
    [
        Time("first_token", "From the request to its first token."),
        Time("latency", "From the request to its last token."),
        Time("first_token_p50", "Half of the requests have their first token sooner.", 0.5),
        Time("first_token_p95", "95 of 100 requests have their first token sooner.", 0.95),
        Time("latency_p50", "Half of the requests are done sooner.", 0.5),
        Time("latency_p95", "95 of 100 requests are done sooner.", 0.95),
        Speed("decode", "Tokens after the first one ÷ their time."),
        Speed("throughput", "Tokens of the answer ÷ time of the whole request."),
        Speed("prefill", "Tokens of the prompt ÷ time to the first token."),
        new("peak_memory", "bytes", false, "Largest resident memory of the process while it answers; runtime and model included.") { OfMachine = true },
        new("size", "bytes", false, "Files of the form that is measured."),
    ]);

    private static MetricKind Time(string name, string help, double? quantile = null) => new(name, "ms", false, help) { OfMachine = true, Quantile = quantile };

    private static MetricKind Speed(string name, string help) => new(name, "tokens/s", true, help) { OfMachine = true };

    internal static SuiteTask Read(YamlReader y, SuiteTask task) => task with { Warmup = KindKeys.Whole(y, "warmup", 0, 100), Requests = KindKeys.Whole(y, "requests", 1, 100), Threads = KindKeys.Whole(y, "threads", 0, 256) };

    internal static void Check(YamlReader y, SuiteTask task)
    {
        if (task.Temperature > 0)
            y.Problem("temperature", "the same number of tokens is written whichever they are: leave the temperature out.");
        if (task.Stop.Count > 0)
            y.Problem("stop", "each answer has exactly 'max_tokens' tokens, so that every model does the same work: leave 'stop' out.");
    }
}

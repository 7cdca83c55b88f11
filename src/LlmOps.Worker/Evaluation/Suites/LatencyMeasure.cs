using System.Text.Json.Nodes;
using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>Requests in a process of their own: memory and speed inside a worker would be the worker's. Each row is one measured request.</summary>
public sealed class LatencyMeasure(SuiteTask task, TaskText text, ModelForm form) : TaskMeasure(task, text)
{
    private readonly Lazy<ModelConfig> config = new(() => ModelConfig.Read(form.Folder));

    /// <summary>Requests of one process: loading is paid once for them, and a worker that is killed loses no more.</summary>
    public override int MostRows => 32;
    public override int MostTokens => int.MaxValue;

    public override PreparedRow Prepare(SuiteRow row)
    {
        if (form.IsCheckpoint)
            throw new NotSupportedException("The training framework is not what serves, so its speed is not measured: measure a variant.");
        var prompt = Text.Prompt(row.Fields);
        var tokens = Text.PromptTokens(prompt);
        if (tokens.Length + Task.MaxTokens > config.Value.MaxPositionEmbeddings)
            throw new ArgumentException($"{tokens.Length} tokens of the prompt and {Task.MaxTokens} new ones do not fit into the model's context of {config.Value.MaxPositionEmbeddings}.");
        return new(row, prompt, [], [], tokens);
    }

    public override IReadOnlyList<RowResult> Measure(IReadOnlyList<PreparedRow> rows, CancellationToken ct)
    {
        var timed = Probe.Time(new RequestsToTime(form.Folder, [.. rows.Select(r => r.PromptTokens)], Task.MaxTokens, Task.Warmup ?? LatencyKind.DefaultWarmup, Task.Requests ?? 1, Task.Threads ?? 0), ct);
        return [.. rows.Zip(timed.Requests, (row, times) => Read(row, times, timed))];
    }

    private RowResult Read(PreparedRow row, RequestTimes times, TimedRequests of)
    {
        var (first, all) = (Quantiles.Of(times.FirstTokenMs, 0.5), Quantiles.Of(times.LatencyMs, 0.5));
        var values = Values(m => m.Name switch
        {
            "first_token" or "first_token_p50" or "first_token_p95" => new(m.Name, first),
            "latency" or "latency_p50" or "latency_p95" => new(m.Name, all),
            "prefill" => new(m.Name, row.PromptTokens.Length / (first / 1000)),
            "throughput" => new(m.Name, Task.MaxTokens / (all / 1000)),
            "decode" => Task.MaxTokens == 1 ? MetricValue.None(m.Name, "Only one token is written.") : new(m.Name, (Task.MaxTokens - 1) / ((all - first) / 1000)),
            "peak_memory" => new(m.Name, times.PeakMemoryBytes),
            "size" => new(m.Name, form.SizeBytes),
            _ => throw new InvalidOperationException($"{m.Name} is no metric of latency."),
        });
        return new(values, null, all, new JsonObject
        {
            ["machine"] = of.Machine, ["prompt_tokens"] = row.PromptTokens.Length, ["new_tokens"] = Task.MaxTokens, ["load_ms"] = Math.Round(of.LoadMs, 1),
            ["first_token_ms"] = new JsonArray([.. times.FirstTokenMs.Select(v => (JsonNode)Math.Round(v, 3))]), ["latency_ms"] = new JsonArray([.. times.LatencyMs.Select(v => (JsonNode)Math.Round(v, 3))]),
        });
    }
}

using System.Collections.Concurrent;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Lifecycle.Monitoring;

/// <summary>What this process has served and taken since it started.</summary>
public sealed class ServingMeter
{
    private readonly DurationHistogram requests = new("llmops_request_duration_seconds", "Time of requests to models and knowledge bases.", "kind", "outcome");
    private readonly DurationHistogram firstTokens = new("llmops_first_token_seconds", "Time from a request to its first token.", "kind");
    private readonly DurationHistogram retrievals = new("llmops_rag_retrieval_duration_seconds", "Time of searches in an index.");
    private readonly ConcurrentDictionary<(string Profile, string Outcome), long> deliveries = new();
    private long inputTokens, outputTokens, stored, duplicate, rejected, sampledOut, points, records;

    /// <summary>The spans of one request that this server answered.</summary>
    public void Served(IEnumerable<Span> spans)
    {
        foreach (var span in spans)
            if (span.ParentSpanId is null)
            {
                requests.Observe(span.DurationMs / 1000, span.Kind, span.Error is null ? "answered" : "failed");
                if (span.FirstTokenMs is { } first)
                    firstTokens.Observe(first / 1000, span.Kind);
                Interlocked.Add(ref inputTokens, span.InputTokens ?? 0);
                Interlocked.Add(ref outputTokens, span.OutputTokens ?? 0);
            }
            else if (span.Kind == "retrieval")
                retrievals.Observe(span.DurationMs / 1000);
    }

    public void Received(int added, int known, int refused, int notSampled)
    {
        Interlocked.Add(ref stored, added);
        Interlocked.Add(ref duplicate, known);
        Interlocked.Add(ref rejected, refused);
        Interlocked.Add(ref sampledOut, notSampled);
    }

    /// <param name="outcome">"delivered", "retried" or "failed".</param>
    public void Delivered(string profile, string outcome) => deliveries.AddOrUpdate((profile, outcome), 1, (_, n) => n + 1);

    public void Dropped(long dataPoints, long logRecords)
    {
        Interlocked.Add(ref points, dataPoints);
        Interlocked.Add(ref records, logRecords);
    }

    public IReadOnlyList<MetricFamily> Read() =>
    [
        requests.Read(), firstTokens.Read(), retrievals.Read(),
        new("llmops_tokens", MetricType.Counter, "Tokens of requests that this server answered.", [Count(ref inputTokens, "direction", "input"), Count(ref outputTokens, "direction", "output")]),
        new("llmops_otlp_spans", MetricType.Counter, "Spans that programs sent.",
            [Count(ref stored, "outcome", "stored"), Count(ref duplicate, "outcome", "duplicate"), Count(ref rejected, "outcome", "rejected"), Count(ref sampledOut, "outcome", "not_sampled")]),
        new("llmops_webhook_deliveries", MetricType.Counter, "Attempts to tell an endpoint something.", [.. deliveries.OrderBy(d => d.Key).Select(d => new MetricSample(d.Value, "", ("profile", d.Key.Profile), ("outcome", d.Key.Outcome)))]),
        new("llmops_otlp_dropped", MetricType.Counter, "Data points and log records that programs sent and this server does not keep.", [Count(ref points, "signal", "metrics"), Count(ref records, "signal", "logs")]),
    ];

    private static MetricSample Count(ref long counter, string label, string value) => new(Interlocked.Read(ref counter), "", (label, value));
}

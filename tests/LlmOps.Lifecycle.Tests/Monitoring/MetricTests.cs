using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Monitoring;
using LlmOps.Lifecycle.Tracing;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Monitoring;

public sealed class MetricTextTests
{
    private static readonly MetricFamily[] Families =
    [
        new("llmops_jobs", MetricType.Counter, "Jobs.\nTwo lines \\ one", [new(3, "", ("kind", "a\"b\\c\nd"), ("outcome", "failed"))]),
        new("llmops_age_seconds", MetricType.Gauge, "Age.", [new(0.25), new(double.PositiveInfinity, "", ("of", "x"))]),
    ];

    [Fact]
    public void Text_IsAsPrometheusReadsIt() => Assert.Equal(
        "# HELP llmops_jobs_total Jobs.\\nTwo lines \\\\ one\n# TYPE llmops_jobs_total counter\nllmops_jobs_total{kind=\"a\\\"b\\\\c\\nd\",outcome=\"failed\"} 3\n# HELP llmops_age_seconds Age.\n# TYPE llmops_age_seconds gauge\nllmops_age_seconds 0.25\nllmops_age_seconds{of=\"x\"} +Inf\n",
        MetricText.Write(Families, openMetrics: false));

    [Fact]
    public void OpenMetrics_NamesACounterWithoutItsEnd_AndEnds()
    {
        var text = MetricText.Write(Families, openMetrics: true);
        Assert.StartsWith("# HELP llmops_jobs Jobs.\\nTwo lines \\\\ one\n# TYPE llmops_jobs counter\nllmops_jobs_total{", text, StringComparison.Ordinal);
        Assert.EndsWith("\n# EOF\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void AHistogram_CountsFromBelow()
    {
        var histogram = new DurationHistogram("d_seconds", "D.", "kind");
        foreach (var seconds in new[] { 0.005, 0.01, 0.011, 5, 1000 })
            histogram.Observe(seconds, "chat");
        var samples = histogram.Read().Samples;
        double Bucket(string le) => samples.Single(s => s.Suffix == "_bucket" && s.Labels.Contains(("le", le))).Value;
        Assert.Equal((2, 3, 3, 4, 4, 5), (Bucket("0.01"), Bucket("0.02"), Bucket("2.56"), Bucket("5.12"), Bucket("81.92"), Bucket("+Inf")));
        Assert.Equal((1005.026, 5), (Math.Round(samples.Single(s => s.Suffix == "_sum").Value, 6), samples.Single(s => s.Suffix == "_count").Value));
        Assert.All(samples, s => Assert.Contains(("kind", "chat"), s.Labels));
    }
}

public sealed class GpuMemoryTests
{
    [Fact]
    public void MemoryIsReadInBytes_AndWithoutAProcessor_ThereIsNoMetric()
    {
        var found = GpuMemory.Parse("0, 1024, 81559\n1, 2, 81559\n").ToList();
        Assert.Equal(["llmops_gpu_memory_used_bytes", "llmops_gpu_memory_bytes"], found.Select(f => f.Name));
        Assert.Equal([1_073_741_824, 2_097_152], found[0].Samples.Select(s => s.Value));
        Assert.Equal(81559.0 * 1_048_576, found[1].Samples[0].Value);
        Assert.Empty(GpuMemory.Parse("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."));
        Assert.Empty(GpuMemory.Parse("0, [N/A], 81559"));
    }
}

public abstract class ReadMetricsTests(DatabaseProvider provider) : ProductTests(provider)
{
    private async Task<Dictionary<string, double>> NumbersAsync() =>
        (await Get<ReadMetrics>().ReadAsync()).SelectMany(f => f.Samples.Select(s => (Name: f.Name + s.Suffix + string.Concat(s.Labels.Select(l => $" {l.Name}={l.Value}")), s.Value))).ToDictionary(s => s.Name, s => s.Value);

    [Fact]
    public async Task Jobs_Queues_AndWorkers_AreCounted()
    {
        var now = Product.Clock.GetUtcNow();
        Job Ended(JobState state, int seconds)
        {
            var job = Job.Queue("train", "{}", Product.Alice, now.AddHours(-1));
            (job.State, job.StartedAt, job.EndedAt) = (state, now.AddMinutes(-30), now.AddMinutes(-30).AddSeconds(seconds));
            return job;
        }
        var later = Job.Queue("train", "{}", Product.Alice, now.AddHours(-2));
        later.NotBefore = now.AddMinutes(5);
        var running = Job.Queue("train", "{}", Product.Alice, now, needs: "gpu");
        running.State = JobState.Running;
        await Product.WriteAsync(db =>
        {
            db.Jobs.AddRange(Ended(JobState.Succeeded, 10), Ended(JobState.Succeeded, 20), Ended(JobState.Failed, 3), Job.Queue("evaluate", "{}", Product.Alice, now.AddSeconds(-40)), later, running);
            db.Workers.Add(new WorkerNode { Name = "w1", Host = "h", Slots = 2, Provides = "cpu, gpu", StartedAt = now.AddDays(-1), HeartbeatAt = now.AddSeconds(-7) });
            db.Workers.Add(new WorkerNode { Name = "gone", Host = "h", Slots = 2, Provides = "cpu", StartedAt = now.AddDays(-1), HeartbeatAt = now.AddSeconds(-7), StoppedAt = now });
        });
        // the clock of tests goes on by a millisecond whenever it is read
        var numbers = await NumbersAsync();
        Assert.Equal((2, 1), (numbers["llmops_jobs kind=train outcome=succeeded"], numbers["llmops_jobs kind=train outcome=failed"]));
        Assert.Equal((33, 3), (numbers["llmops_job_duration_seconds_sum kind=train"], numbers["llmops_job_duration_seconds_count kind=train"]));
        Assert.Equal((2, 40, 0), (numbers["llmops_queue_depth queue=cpu"], Math.Round(numbers["llmops_queue_oldest_seconds queue=cpu"], 1), numbers["llmops_queue_oldest_seconds queue=gpu"]));
        Assert.Equal((1, 1, 1), (numbers["llmops_jobs_running queue=gpu"], numbers["llmops_gpu_slots state=busy"], numbers["llmops_gpu_slots state=free"]));
        Assert.Equal((7, 2), (Math.Round(numbers["llmops_worker_heartbeat_age_seconds worker=w1"], 1), numbers["llmops_worker_slots worker=w1"]));
        Assert.DoesNotContain("llmops_worker_slots worker=gone", numbers.Keys);
        Assert.Equal(0, numbers["llmops_approval_age_seconds"]);
    }

    [Fact]
    public async Task WhatWasServedAndReceived_IsCounted()
    {
        Span Of(string id, string? parent, string kind, double ms, string? error = null) => new()
        {
            TraceId = new string('a', 32), SpanId = id, ParentSpanId = parent, Name = kind, Kind = kind, StartedAt = Product.Clock.GetUtcNow(), DurationMs = ms, InputTokens = 3, OutputTokens = 4, FirstTokenMs = 15, Error = error,
        };
        await Get<IngestSpans>().IngestAsync([Of("1", null, "ask", 100), Of("2", "1", "retrieval", 30)]);
        await Get<IngestSpans>().IngestAsync([Of("3", null, "ask", 100, "broke")]);
        var sent = Tracing.CanonicalSpanTests.Sent();
        await Get<ReceiveSpans>().ReceiveAsync([sent, sent with { SpanId = "no" }]);
        await Get<ReceiveSpans>().ReceiveAsync([sent]);
        var numbers = await NumbersAsync();
        Assert.Equal((1, 1), (numbers["llmops_request_duration_seconds_count kind=ask outcome=answered"], numbers["llmops_request_duration_seconds_count kind=ask outcome=failed"]));
        Assert.Equal((0.03, 1), (numbers["llmops_rag_retrieval_duration_seconds_sum"], numbers["llmops_rag_retrieval_duration_seconds_count"]));
        Assert.Equal((6, 8), (numbers["llmops_tokens direction=input"], numbers["llmops_tokens direction=output"]));
        Assert.Equal((1, 1, 1), (numbers["llmops_otlp_spans outcome=stored"], numbers["llmops_otlp_spans outcome=duplicate"], numbers["llmops_otlp_spans outcome=rejected"]));
    }
}

public sealed class ReadMetricsOnSqlite() : ReadMetricsTests(DatabaseProvider.Sqlite);

public sealed class ReadMetricsOnPostgres() : ReadMetricsTests(DatabaseProvider.Postgres);

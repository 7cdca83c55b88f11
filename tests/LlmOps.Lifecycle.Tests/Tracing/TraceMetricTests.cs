using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Tracing;

/// <summary>Numbers over many traces against a table that is worked out by hand.</summary>
public abstract class TraceMetricTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const long Start = 1_700_000_000_000 / 60_000 * 60_000;
    private static readonly DateTimeOffset First = DateTimeOffset.FromUnixTimeMilliseconds(Start);

    private static Span Root(int n, string name, int second, double took, string? error = null, int? input = null, int? output = null) =>
        new() { TraceId = $"{n:x32}", SpanId = $"{1:x16}", Name = name, Kind = "chat", StartedAt = First.AddSeconds(second), DurationMs = took, Error = error, InputTokens = input, OutputTokens = output, Model = "big", Provider = "p" };

    private static Span Step(int n, int id, string kind, int second, double took, int? input, int? output, double? cost, string? model, string? error = null) =>
        new() { TraceId = $"{n:x32}", SpanId = $"{id:x16}", ParentSpanId = $"{1:x16}", Name = kind, Kind = kind, StartedAt = First.AddSeconds(second), DurationMs = took, InputTokens = input, OutputTokens = output, CostUsd = cost, Model = model, Error = error };

    private static Assessment Said(int n, string name, string? json, double? number, bool valid = true, string kind = Assessment.Feedback) =>
        new() { TraceId = $"{n:x32}", Name = name, Kind = kind, ValueJson = json, Number = number, SourceType = "CODE", CreatedBy = "t", CreatedAt = First.AddSeconds(n * 30), IsValid = valid };

    private Guid Other { get; } = Guid.Parse("00000000-0000-0000-0000-0000000000e1");

    private async Task SeedAsync()
    {
        await Product.WriteAsync(db => db.Experiments.Add(new() { Id = Other, Name = "other", CreatedAt = First, UpdatedAt = First }));
        await Product.WriteAsync(db =>
        {
            db.Spans.AddRange(
                // 1: tokens of its own; 2: tokens of its calls only; 3: failed, in the second minute; 4: as long as all; 5: in another experiment; 6: without a root
                Root(1, "ask", 0, 100, input: 10, output: 5), Step(1, 2, "chat", 1, 60, 7, 5, 0.25, "big"), Step(1, 3, "execute_tool", 2, 10, null, null, null, null, "broke"),
                Root(2, "ask", 30, 200), Step(2, 2, "chat", 31, 80, 20, null, 0.5, "small"), Step(2, 3, "text_completion", 32, 90, 1, 2, 0.125, "big"),
                Root(3, "ask", 60, 300, error: "broke", input: 0, output: 1),
                Root(4, "judge", 61, 1000),
                Root(5, "ask", 62, 5000, input: 100, output: 100),
                Step(6, 9, "chat", 119, 40, 3, 4, null, "big"));
            db.LoggedTraces.Add(new LoggedTrace { TraceId = $"{5:x32}", ExperimentId = Other, CreatedAt = First });
            db.TraceTags.AddRange(new TraceTag { TraceId = $"{1:x32}", Key = "team", Value = "red" }, new TraceTag { TraceId = $"{2:x32}", Key = "mlflow.trace.session", IsMetadata = true, Value = "s1" });
            db.Assessments.AddRange(Said(1, "good", "true", null), Said(2, "good", "false", null), Said(3, "good", "\"yes\"", null), Said(4, "good", "\"perhaps\"", null), Said(1, "score", "0.25", 0.25), Said(2, "score", "0.75", 0.75), Said(2, "score", "9.0", 9, valid: false), Said(1, "answer", "\"42\"", null, kind: Assessment.Expectation));
            db.Feedback.AddRange(new Feedback { TraceId = $"{1:x32}", Score = 1, PersonId = Guid.NewGuid(), PersonName = "a", At = First }, new Feedback { TraceId = $"{1:x32}", Score = -1, PersonId = Guid.NewGuid(), PersonName = "b", At = First });
        });
    }

    private async Task<string> AskAsync(string view, string metric, string aggregations, string dimensions = "", string filters = "", long? interval = null, long? start = null, long? end = null, Guid? experiment = null)
    {
        var wanted = aggregations.Split(' ').Select(a => a.StartsWith('P') ? new MetricAggregation("PERCENTILE", double.Parse(a[1..], System.Globalization.CultureInfo.InvariantCulture)) : new MetricAggregation(a));
        var page = await Get<ReadTraceMetrics>().ReadAsync(new([experiment ?? TrackingKeys.DefaultExperimentId], view, metric, [.. wanted], dimensions.Split(' ', StringSplitOptions.RemoveEmptyEntries), filters.Length == 0 ? [] : filters.Split(';'), interval, start, end));
        Assert.Null(page.NextPageToken);
        return string.Join(" | ", page.Items.Select(p => string.Concat(p.Dimensions.Select(d => d.Value + ": ")) + string.Join(", ", p.Values.Select(v => System.Globalization.CultureInfo.InvariantCulture.TextInfo.ToUpper(v.Key) + "=" + Math.Round(v.Value, 9).ToString("R", System.Globalization.CultureInfo.InvariantCulture)))));
    }

    [Fact]
    public async Task Traces_AreCountedAndMeasured()
    {
        await SeedAsync();
        Assert.Equal("COUNT=5", await AskAsync("TRACES", "trace_count", "COUNT"));
        Assert.Equal("COUNT=1", await AskAsync("TRACES", "trace_count", "COUNT", experiment: Other));
        Assert.Equal("ask: ERROR: COUNT=1 | ask: OK: COUNT=2 | chat: IN_PROGRESS: COUNT=1 | judge: OK: COUNT=1", await AskAsync("TRACES", "trace_count", "COUNT", "trace_name trace_status"));
        // 100, 200, 300, 1000; the one without a root has not ended
        Assert.Equal("AVG=400, MIN=100, MAX=1000, SUM=1600, COUNT=4, P50.0=250, P90.0=790, P0.0=100, P100.0=1000, P99.9=997.9", await AskAsync("TRACES", "latency", "AVG MIN MAX SUM COUNT P50 P90 P0 P100 P99.9"));
        // 1: 10 and 5; 2: 20 + 1 and 2; 3: 0 and 1; 6: 3 and 4
        Assert.Equal("SUM=34, COUNT=4", await AskAsync("TRACES", "input_tokens", "SUM COUNT"));
        Assert.Equal("SUM=12, P50.0=3", await AskAsync("TRACES", "output_tokens", "SUM P50"));
        Assert.Equal("ask: SUM=39, AVG=13, P25.0=8 | chat: SUM=7, AVG=7, P25.0=7", await AskAsync("TRACES", "total_tokens", "SUM AVG P25", "trace_name"));
        Assert.Equal("2023-11-14T22:13:00+00:00: COUNT=2, P50.0=150 | 2023-11-14T22:14:00+00:00: COUNT=2, P50.0=650", await AskAsync("TRACES", "latency", "COUNT P50", interval: 60, start: Start, end: Start + 600_000));
        Assert.Equal("COUNT=2", await AskAsync("TRACES", "trace_count", "COUNT", start: Start + 30_000, end: Start + 60_000));
        // nothing to say, but how many: none
        Assert.Equal("COUNT=0", await AskAsync("TRACES", "latency", "COUNT AVG P50", start: Start + 10_000_000));
        Assert.Equal("", await AskAsync("TRACES", "latency", "AVG P50", start: Start + 10_000_000));
    }

    [Fact]
    public async Task Spans_AndAssessments_AreCountedAndMeasured()
    {
        await SeedAsync();
        Assert.Equal("CHAT_MODEL: COUNT=7 | LLM: COUNT=1 | TOOL: COUNT=1", await AskAsync("SPANS", "span_count", "COUNT", "span_type"));
        Assert.Equal("ERROR: COUNT=2 | OK: COUNT=7", await AskAsync("SPANS", "span_count", "COUNT", "span_status"));
        Assert.Equal("big: SUM=0.375 | small: SUM=0.5", await AskAsync("SPANS", "total_cost", "SUM", "span_model_name"));
        Assert.Equal("SUM=0.875, P50.0=0.25", await AskAsync("SPANS", "total_cost", "SUM P50"));
        Assert.Equal("chat: AVG=60", await AskAsync("SPANS", "latency", "AVG", "span_name", "span.name = 'chat'"));
        Assert.Equal("answer: COUNT=1 | good: COUNT=4 | score: COUNT=2 | thumbs: COUNT=2", await AskAsync("ASSESSMENTS", "assessment_count", "COUNT", "assessment_name"));
        // true, false and "yes" are numbers, "perhaps" is none; thumbs are 1 and 0
        Assert.Equal("good: AVG=0.666666667 | score: AVG=0.5 | thumbs: AVG=0.5", await AskAsync("ASSESSMENTS", "assessment_value", "AVG", "assessment_name"));
        Assert.Equal("false: COUNT=1 | true: COUNT=1", await AskAsync("ASSESSMENTS", "assessment_count", "COUNT", "assessment_value", "assessment.name = 'good';assessment.type = 'feedback';trace.status = 'OK' AND trace.name = 'ask'"));
        Assert.Equal("COUNT=1", await AskAsync("ASSESSMENTS", "assessment_count", "COUNT", "", "assessment.type = 'expectation'"));
    }

    [Fact]
    public async Task Filters_ChooseTraces_AndTheRowsThatAreCounted()
    {
        await SeedAsync();
        foreach (var (filter, count) in new[]
        {
            ("trace.status = 'ERROR'", 1), ("trace.status = \"OK\";trace.tag.team = 'red'", 1), ("trace.tag.`team` = 'red'", 1), ("trace.metadata.`mlflow.trace.session` = 's1'", 1), ("trace.metadata.mlflow.trace.session = 's1'", 1),
            ("trace.tag.team = 'blue'", 0), ("trace.name LIKE 'a%'", 3), ("trace.status = 'x'' OR 1=1 --'", 0), ("span.name = 'chat'", -1), ("assessment.name = 'good'", -1), ("status = 'OK'", -1), ("trace.status > 3", -1), ("trace.nothing = 'x'", -1), ("trace.tag. = 'x'", -1),
        })
            if (count >= 0)
                Assert.Equal($"{filter}: COUNT={count}", $"{filter}: " + await AskAsync("TRACES", "trace_count", "COUNT", "", filter));
            else
                await RefusedAsync(ErrorCode.InvalidParameterValue, () => AskAsync("TRACES", "trace_count", "COUNT", "", filter));
        Assert.Equal("COUNT=1", await AskAsync("SPANS", "span_count", "COUNT", "", "span.type = 'TOOL';span.status = 'ERROR';trace.tag.team = 'red'"));
        Assert.Equal("COUNT=2", await AskAsync("SPANS", "span_count", "COUNT", "", "span.name IN ('execute_tool', 'text_completion')"));
    }

    [Fact]
    public async Task Pages_HoldEveryPointOnce()
    {
        await Product.WriteAsync(db => db.Spans.AddRange(Enumerable.Range(1, 25).Select(n => Root(n, $"name {n % 5}", n * 7, n))));
        foreach (var (dimensions, interval) in new[] { (new[] { "trace_name" }, (long?)null), (["trace_name", "trace_status"], 60), ([], 30) })
        {
            TraceMetricQuery query = new([TrackingKeys.DefaultExperimentId], "TRACES", "latency", [new("SUM"), new("PERCENTILE", 50)], dimensions, [], interval, Start, Start + 1_000_000);
            var whole = (await Get<ReadTraceMetrics>().ReadAsync(query)).Items;
            List<MetricDataPoint> paged = [];
            for (string? token = null; ;)
            {
                var page = await Get<ReadTraceMetrics>().ReadAsync(query with { MaxResults = 2, PageToken = token });
                paged.AddRange(page.Items);
                if ((token = page.NextPageToken) is null)
                    break;
            }
            static string Text(MetricDataPoint p) => string.Join(',', p.Dimensions.Values) + p.Values["SUM"] + "/" + p.Values["P50.0"];
            Assert.Equal(whole.Select(Text), paged.Select(Text));
            Assert.Equal(325, paged.Sum(p => p.Values["SUM"]));
            Assert.True(whole.Count >= 5);
        }
    }

    [Fact]
    public async Task WrongQueries_AreRefused()
    {
        Task AskWith(Func<TraceMetricQuery, TraceMetricQuery> change) => Get<ReadTraceMetrics>().ReadAsync(change(new([TrackingKeys.DefaultExperimentId], "TRACES", "latency", [new("AVG")], [], [], null, 1, 2)));
        foreach (var wrong in new Func<TraceMetricQuery, TraceMetricQuery>[]
        {
            q => q with { ViewType = null }, q => q with { ViewType = "traces; DROP TABLE spans" }, q => q with { MetricName = "" }, q => q with { MetricName = "span_count" }, q => q with { Aggregations = [] }, q => q with { Aggregations = [new("MEDIAN")] }, q => q with { Aggregations = [new(null)] },
            q => q with { Aggregations = [new("PERCENTILE")] }, q => q with { Aggregations = [new("PERCENTILE", -1)] }, q => q with { Aggregations = [new("PERCENTILE", 100.1)] }, q => q with { Aggregations = [new("PERCENTILE", double.NaN)] }, q => q with { MetricName = "trace_count", Aggregations = [new("SUM")] },
            q => q with { Aggregations = [.. Enumerable.Range(0, 21).Select(i => new MetricAggregation("PERCENTILE", i))] }, q => q with { Dimensions = ["span_name"] }, q => q with { Dimensions = ["time_bucket"] }, q => q with { Dimensions = [null!] }, q => q with { Filters = ["'"] },
            q => q with { IntervalSeconds = 0 }, q => q with { IntervalSeconds = long.MaxValue }, q => q with { IntervalSeconds = 60, StartMs = null }, q => q with { MaxResults = 0 }, q => q with { MaxResults = 1001 }, q => q with { PageToken = "x" }, q => q with { PageToken = "WyJhIl0" },
            q => q with { IntervalSeconds = 60, PageToken = "WyJhIl0" }, q => q with { Dimensions = ["trace_name"], PageToken = "WyJcdTAwMDAiXQ" },
        })
            await RefusedAsync(ErrorCode.InvalidParameterValue, () => AskWith(wrong));
        await AskWith(q => q with { StartMs = long.MinValue, EndMs = long.MaxValue, IntervalSeconds = 60, Dimensions = ["time_bucket"] });
    }
}

public sealed class SqliteTraceMetricTests() : TraceMetricTests(DatabaseProvider.Sqlite);

public sealed class PostgresTraceMetricTests() : TraceMetricTests(DatabaseProvider.Postgres);

using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracing;

/// <summary>What clients of the MLflow API say of traces, on both databases.</summary>
public abstract class LoggedTraceTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static readonly Guid Default = TrackingKeys.DefaultExperimentId;

    private static string Id(int number) => $"{number + 1:x32}";

    private Task StartAsync(int number, Guid experiment, string? state = "OK", params KeyValue[] tags) => Get<LogTrace>().StartAsync(new(Id(number), experiment, DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000 + number), number * 10.0, state,
        $"c{number}", $"question {number}", "answer", [new(LogTrace.Session, $"s{number % 2}")], tags));

    private async Task<string> FoundAsync(Guid experiment, string filter, params string[] order) =>
        string.Join(' ', (await Get<ReadLoggedTraces>().SearchAsync([experiment], filter, order, null, null)).Items.Select(t => int.Parse(t.TraceId, System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture) - 1));

    [Fact]
    public async Task Search_MeansTheSameOnBothDatabases()
    {
        var experiment = await Get<CreateExperiment>().CreateAsync("asked", null, [], Product.Alice);
        for (var i = 0; i < 4; i++)
            await StartAsync(i, experiment, i == 2 ? "ERROR" : "OK", new("n", $"v{i}"), new("mlflow.traceName", i % 2 == 0 ? "even" : "Odd"));
        await Get<ReceiveSpans>().ReceiveAsync([CanonicalSpanTests.Sent(("gen_ai.operation.name", "chat"), ("gen_ai.input.messages", "sent by OTLP")) with { TraceId = Id(9), SpanId = "00000000000000aa" }]);
        var run = await Get<StartRun>().StartAsync(new(experiment, "r", "ada", null, []));
        await Get<LogTrace>().LinkToRunAsync([Id(1)], run.Id);
        await Get<LogTrace>().LinkToRunAsync([Id(1)], run.Id);
        await Get<AssessTrace>().CreateAsync(new(Id(3), null, "score", Assessment.Feedback, AssessmentValue.Parse(System.Text.Json.JsonSerializer.SerializeToElement(0.5)), null, null, "CODE", "x", null, new Dictionary<string, string>()), Product.Alice);
        await Get<GiveFeedback>().GiveAsync(Id(0), 1, null, Product.Alice);
        (string Filter, string Expected)[] table =
        [
            ("", "3 2 1 0"), ("status = 'ERROR'", "2"), ("name ILIKE 'odd'", "3 1"), ("name LIKE 'odd'", ""), ("timestamp_ms > 1700000000001 AND execution_time_ms < 30", "2"), ("tags.n IN ('v0','v3') OR tags.n = 'v1'", "3 1 0"), ("tags.n != 'v0'", "3 2 1"), ("tags.none IS NULL", "3 2 1 0"), ("metadata.`mlflow.trace.session` = 's1'", "3 1"),
            ($"run_id = '{TrackingKeys.Text(run.Id)}'", "1"), ($"run_id != '{TrackingKeys.Text(run.Id)}'", "3 2 0"), ("trace.text ILIKE '%QUESTION 2%'", "2"), ("span.type = 'UNKNOWN'", "3 2 1 0"), ("feedback.score >= 0.5", "3"), ("feedback.score = '0.5'", "3"), ("feedback.thumbs = 'true'", "0"), ("expectation.score IS NOT NULL", ""),
            ($"request_id = 'tr-{Id(2)}'", "2"), ("request_id LIKE 'tr-%3'", "2"), ("client_request_id = 'c1'", "1"), ("span.status = 'ERROR' AND span.name = 'even'", "2"),
        ];
        foreach (var (filter, expected) in table)
            Assert.Equal((filter, expected), (filter, await FoundAsync(experiment, filter)));
        Assert.Equal("2 0 1 3", await FoundAsync(experiment, "", "status ASC", "timestamp_ms ASC"));
        Assert.Equal("9", await FoundAsync(Default, "span.content LIKE '%OTLP%'"));
        Assert.Equal((4, 2, 1), (await Get<ReadLoggedTraces>().CountAsync([experiment], []), await Get<ReadLoggedTraces>().CountAsync([experiment], ["name = 'even'"]), await Get<ReadLoggedTraces>().CountAsync([experiment], ["name = 'even'", "status = 'ERROR'"])));
    }

    [Fact]
    public async Task TracesThatManyTellOfAtOnce_AreOneEach_AndTheirSpansReplaceThePlaceholder()
    {
        await AtOnceAsync(6, async _ => { await StartAsync(0, Default); return true; });
        Assert.Equal((1, 1), (await CountAsync(db => db.Spans), await CountAsync(db => db.LoggedTraces)));
        // A new one each time: what is received becomes the span that is kept.
        static ReceivedSpan Sent() => CanonicalSpanTests.Sent(("mlflow.spanInputs", "\"hi ada@example.org\""), ("mlflow.spanType", "\"LLM\"")) with { TraceId = Id(0), SpanId = "00000000000000aa" };
        await AtOnceAsync(4, _ => Get<ReceiveSpans>().ReceiveAsync([Sent()], all: true));
        var span = await ReadAsync(db => db.Spans.AsNoTracking().SingleAsync());
        Assert.Equal(("00000000000000aa", "text_completion", "hi [email hidden, 15 characters]", "s0"), (span.SpanId, span.Kind, span.Input, span.SessionId));
        // told of again, it keeps its spans
        await StartAsync(0, Default);
        Assert.Equal(1, await CountAsync(db => db.Spans));
        var told = await Get<ReadLoggedTraces>().GetAsync(Id(0));
        Assert.Equal(("OK", true, 1500.0, "c0"), (told.State, told.HasSpans, told.DurationMs, told.ClientRequestId));
    }

    [Fact]
    public async Task RetentionAndDeletion_TakeEverythingThatWasSaid()
    {
        for (var i = 0; i < 3; i++)
            await StartAsync(i, Default, "OK", new KeyValue("n", "v"));
        await Get<AssessTrace>().CreateAsync(new(Id(0), null, "a", Assessment.Expectation, AssessmentValue.Parse(System.Text.Json.JsonSerializer.SerializeToElement("x")), null, null, "HUMAN", "x", null, new Dictionary<string, string>()), Product.Alice);
        Assert.Equal(1, await Get<DeleteTraces>().UntilAsync(Default, DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000), null, Product.Alice));
        Assert.Equal((2, 2, 2, 0), (await CountAsync(db => db.Spans), await CountAsync(db => db.LoggedTraces), await CountAsync(db => db.TraceTags.Where(t => !t.IsMetadata)), await CountAsync(db => db.Assessments)));
        Assert.Equal(1, await Get<DeleteTraces>().ByIdAsync(Default, [Id(1), Id(7)], Product.Alice));
        Assert.Equal(Id(2), Assert.Single((await Get<ReadLoggedTraces>().SearchAsync([Default], null, null, null, null)).Items).TraceId);
    }

    [Fact]
    public async Task WhatPeopleSay_IsHiddenInEveryPartOfIt_AndNoDatabaseIsAskedForTheCharacterThatItLacks()
    {
        var secret = "ghp_" + new string('x', 18) + new string('7', 18);
        await Get<LogTrace>().StartAsync(new(Id(0), Default, null, null, "OK", null, "a\0b", "c\0", [], []));
        Assert.Equal(("ab", "c"), await ReadAsync(async db => (await db.LoggedTraces.AsNoTracking().SingleAsync()) is var row ? (row.RequestPreview, row.ResponsePreview) : default));
        var made = await Get<AssessTrace>().CreateAsync(new(Id(0), null, "a", Assessment.Feedback, null, secret, secret, "CODE", "x", secret, new Dictionary<string, string> { ["note"] = secret }), Product.Alice);
        await Get<AssessTrace>().ChangeAsync(Id(0), made.Id, new(Metadata: new Dictionary<string, string> { ["note"] = $"{secret} again" }), Product.Alice);
        var said = await ReadAsync(db => db.Assessments.AsNoTracking().SingleAsync());
        Assert.Equal("""{"note":"[github-token hidden, 40 characters] again"}""", said.MetadataJson);
        Assert.DoesNotContain(secret, $"{said.ErrorCode} {said.ErrorMessage} {said.Rationale} {made.MetadataJson}", StringComparison.Ordinal);
    }

    /// <summary>A client that tells of a trace while its exporter sends the spans: they come after it was seen that there are none, and before the step that stands for them.</summary>
    [Fact]
    public async Task StepThatStandsForSpans_IsNotLeftBesideThem_WhenTheyComeInTheSameMoment()
    {
        var between = new Between(Product.Dbs, () => Get<ReceiveSpans>().ReceiveAsync([new()
        {
            TraceId = Id(5), SpanId = $"{7:x16}", Name = "real", StartNanos = 1_700_000_000_000_000_000, EndNanos = 1_700_000_000_000_000_001, Attributes = new() { [MlflowAttributes.RequestId] = TraceKeys.Text(Id(5)) },
        }]));
        await using var write = new WriteSpans(between, new LlmOps.Lifecycle.Data.DatabaseTurn(one: false));
        var log = new LogTrace(Get<WriteGroups>(), write, new TraceSettings(), new LlmOps.Lifecycle.Messaging.Hints(), Product.Clock);
        await log.StartAsync(new(Id(5), Default, null, null, "OK", null, "asked", "answered", [], []));
        Assert.Equal(["real"], await ReadAsync(db => db.Spans.Where(s => s.TraceId == Id(5)).Select(s => s.Name).ToListAsync()));
        // where none have come it stays
        await Get<LogTrace>().StartAsync(new(Id(6), Default, null, null, "OK", null, "asked", "answered", [], []));
        Assert.Equal(1, await CountAsync(db => db.Spans.Where(s => s.TraceId == Id(6))));
    }

    private sealed class Between(IDbContextFactory<LlmOps.Lifecycle.Data.LlmOpsDb> dbs, Func<Task> first) : IDbContextFactory<LlmOps.Lifecycle.Data.LlmOpsDb>
    {
        public LlmOps.Lifecycle.Data.LlmOpsDb CreateDbContext() => dbs.CreateDbContext();

        public async Task<LlmOps.Lifecycle.Data.LlmOpsDb> CreateDbContextAsync(CancellationToken cancellationToken = default)
        {
            await first();
            return dbs.CreateDbContext();
        }
    }

    [Fact]
    public async Task RecordsOfAnEvaluationDataset_AreMergedAndPaged()
    {
        var keep = Get<KeepEvaluationDataset>();
        var id = await keep.CreateAsync(new("q", [Default], null, null, null, null, new Dictionary<string, string> { ["k"] = "v" }), Product.Alice);
        await AtOnceAsync(4, i => keep.UpsertAsync(id, EvaluationRows.Parse($$$"""[{"inputs":{"a":{{{i}}},"b":1}},{"inputs":{"b":1,"a":0},"expectations":{"e{{{i}}}":{{{i}}} }}]"""), null, Product.Alice));
        var (read, all, token) = (Get<ReadEvaluationDatasets>(), new List<EvaluationRecord>(), (string?)null);
        do
        {
            var page = await read.RecordsAsync(id, 3, token);
            all.AddRange(page.Items);
            token = page.NextPageToken;
        }
        while (token is not null);
        Assert.Equal(["""{"a":1,"b":1}""", """{"a":2,"b":1}""", """{"a":3,"b":1}"""], all.Select(r => r.InputsJson).Where(j => !j.Contains("\"a\":0", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Equal("""{"e0":0,"e1":1,"e2":2,"e3":3}""", all.Single(r => r.ExpectationsJson is not null).ExpectationsJson);
        Assert.Equal(4, (await read.GetAsync(id)).Records);
        Assert.Equal(id, Assert.Single((await read.SearchAsync([Default], "name = 'q' AND tags.k = 'v'", null, null, null)).Items).Dataset.Id);
        await keep.DeleteAsync(id, Product.Alice);
        Assert.Equal((0, 0, 0), (await CountAsync(db => db.EvaluationRecords), await CountAsync(db => db.EvaluationDatasetTags), await CountAsync(db => db.EvaluationDatasetExperiments)));
    }
}

public sealed class LoggedTracesOnSqlite() : LoggedTraceTests(DatabaseProvider.Sqlite);

public sealed class LoggedTracesOnPostgres() : LoggedTraceTests(DatabaseProvider.Postgres);

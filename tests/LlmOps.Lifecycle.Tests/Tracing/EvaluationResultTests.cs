using LlmOps.Lifecycle.Tracing;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracing;

public abstract class EvaluationResultTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const ulong Start = 1_700_000_000_000_000_000;

    private static ReceivedSpan Judged(params ReceivedEvent[] events) => new()
    {
        TraceId = $"{7:x32}", SpanId = $"{8:x16}", Name = "chat", StartNanos = Start, EndNanos = Start + 5, Resource = new Dictionary<string, object?> { ["service.name"] = "judge" }, Events = events,
    };

    private static ReceivedEvent Result(params (string Key, object? Value)[] attributes) => new("gen_ai.evaluation.result", Start + 1_000_000, attributes.ToDictionary(a => a.Key, a => a.Value));

    [Fact]
    public async Task AnEvaluation_BecomesFeedbackOnItsSpan_HoweverOftenItIsSent()
    {
        var span = Judged(
            Result(("gen_ai.evaluation.name", "relevance"), ("gen_ai.evaluation.score.value", 0.75), ("gen_ai.evaluation.score.label", "good"), ("gen_ai.evaluation.explanation", "Mail rosa@example.org about it.")),
            Result(("gen_ai.evaluation.name", "tone"), ("gen_ai.evaluation.score.label", "kind")),
            Result(("gen_ai.evaluation.score.value", 1.0)), Result(("gen_ai.evaluation.name", "empty")));
        await Get<ReceiveSpans>().ReceiveAsync([span]);
        await Get<ReceiveSpans>().ReceiveAsync([Judged([.. span.Events])]);
        var said = await ReadAsync(db => db.Assessments.AsNoTracking().OrderBy(a => a.Name).ToListAsync());
        Assert.Equal(["relevance", "tone"], said.Select(a => a.Name));
        Assert.All(said, a => Assert.Equal((span.TraceId, span.SpanId, Assessment.Feedback, "CODE", "judge"), (a.TraceId, a.SpanId, a.Kind, a.SourceType, a.SourceId)));
        Assert.Equal(("0.75", 0.75, "{\"label\":\"good\"}"), (said[0].ValueJson, said[0].Number, said[0].MetadataJson));
        Assert.Equal(("\"kind\"", (double?)null, "kind"), (said[1].ValueJson, said[1].Number, said[1].ValueText));
        Assert.DoesNotContain("rosa@example.org", said[0].Rationale, StringComparison.Ordinal);
        Assert.Equal(1_700_000_000_001, said[0].CreatedAt.ToUnixTimeMilliseconds());
    }

    private static ReceivedResult Record(string trace, string span, ulong time, params (string Key, object? Value)[] attributes) => new()
    {
        TraceId = trace, SpanId = span, TimeNanos = time, Attributes = attributes.ToDictionary(a => a.Key, a => a.Value), Resource = new Dictionary<string, object?> { ["service.name"] = "judge" },
    };

    private static (string, object?) Name(string name) => ("gen_ai.evaluation.name", name);

    private static (string, object?) Score(object? value) => ("gen_ai.evaluation.score.value", value);

    private Task<List<string>> SaidAsync() => ReadAsync(db => db.Assessments.AsNoTracking().OrderBy(a => a.Name).ThenBy(a => a.Number).Select(a => a.Name + " " + a.ValueJson + " " + a.TraceId.Substring(30) + " " + a.SpanId).ToListAsync());

    [Fact]
    public async Task ARecord_JudgesTheSpanOrTheTraceThatItNames_AlsoBeforeTheyCome()
    {
        var receive = Get<ReceiveResults>();
        ReceivedResult[] records = [Record($"{7:x32}", $"{8:x16}", Start, Name("faithful"), Score(0.5)), Record($"{7:x32}", "", Start, Name("polite"), Score(1L)), Record($"{7:x32}", $"{8:x16}", Start, Name("faithful"), Score(0.25))];
        Assert.Equal(new(0, null), await receive.ReceiveAsync(records));
        // sent again, alone and at the same moment, by an exporter that did not hear the answer
        await AtOnceAsync(4, _ => receive.ReceiveAsync(records));
        Assert.Equal([$"faithful 0.25 07 {8:x16}", $"faithful 0.5 07 {8:x16}", "polite 1 07 "], await SaidAsync());
        // retention that passes by takes nothing whose span is on its way
        await Get<ReceiveSpans>().ReceiveAsync([new() { TraceId = $"{9:x32}", SpanId = $"{9:x16}", Name = "old", StartNanos = 1_000_000, EndNanos = 2_000_000 }]);
        Assert.Equal(1, await new DeleteOldTraces(Product.Dbs, new TraceSettings(RetentionDays: 7), new(), Product.Clock).DeleteAsync());
        Assert.Equal(3, (await SaidAsync()).Count);
        await Get<ReceiveSpans>().ReceiveAsync([Judged()]);
        Assert.Equal(3, (await SaidAsync()).Count);
    }

    [Fact]
    public async Task AnEventOfASpan_AndTheSameAsARecord_AreOneFeedback()
    {
        var span = Judged(Result(Name("relevance"), Score(0.75)));
        await Get<ReceiveSpans>().ReceiveAsync([span]);
        await Get<ReceiveResults>().ReceiveAsync([Record(span.TraceId, span.SpanId, Start + 1_000_000, Name("relevance"), Score(0.75))]);
        Assert.Single(await SaidAsync());
    }

    [Fact]
    public async Task ARecordWithoutATrace_JudgesTheNewestSpan_ThatGaveTheAnswer()
    {
        ReceivedSpan Answer(int n, ulong start, string key, object? id) => new() { TraceId = $"{n:x32}", SpanId = $"{n:x16}", Name = "chat", StartNanos = start, EndNanos = start + 5, Attributes = new() { [key] = id } };
        const string Response = "gen_ai.response.id", Odd = "a\"b\\c'%_";
        await Get<ReceiveSpans>().ReceiveAsync([Answer(1, Start, Response, "chatcmpl-1"), Answer(2, Start + 1_000_000_000, Response, "chatcmpl-1"), Answer(3, Start, Response, Odd), Answer(4, Start + 2_000_000_000, "other", "chatcmpl-1"), Answer(5, Start, Response, "chatcmpl-11")]);
        var outcome = await Get<ReceiveResults>().ReceiveAsync([
            Record("", "", Start + 3_000_000_000, Name("a"), Score(1L), (Response, "chatcmpl-1")), Record("", "", 0, Name("b"), Score(2L), (Response, Odd)),
            Record("", "", Start, Name("c"), Score(3L), (Response, "chatcmpl")), Record("", "", Start, Name("d"), Score(4L), (Response, "%")), Record("", "", Start, Name("e"), Score(5L))]);
        Assert.Equal([$"a 1 02 {2:x16}", $"b 2 03 {3:x16}"], await SaidAsync());
        Assert.Equal(3, outcome.Rejected);
        Assert.Contains("names no trace", outcome.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatSaysNothing_IsRejectedWithTheReason_AndTheRestIsKept()
    {
        var (trace, span) = ($"{7:x32}", $"{8:x16}");
        foreach (var (record, why) in new (ReceivedResult, string)[]
        {
            (Record(trace, span, Start, Score(1L)), "gen_ai.evaluation.name is missing"), (Record(trace, span, Start, Name(""), Score(1L)), "gen_ai.evaluation.name is missing"), (Record(trace, span, Start, Name(new string('n', 251)), Score(1L)), "more than 250"),
            (Record(trace, span, Start, Name("thumbs"), Score(1L)), "'thumbs'"), (Record(trace, span, Start, Name("x")), "neither"), (Record(trace, span, Start, Name("x"), Score(double.NaN)), "neither"), (Record(trace, span, Start, Name("x"), Score("0.5")), "neither"),
            (Record(new string('0', 32), span, Start, Name("x"), Score(1L)), "trace_id"), (Record("ab", span, Start, Name("x"), Score(1L)), "trace_id"), (Record(trace, "ab", Start, Name("x"), Score(1L)), "span_id"), (Record(trace, new string('0', 16), Start, Name("x"), Score(1L)), "span_id"),
        })
        {
            var outcome = await Get<ReceiveResults>().ReceiveAsync([record, Record(trace, span, Start, Name("good"), Score(1L))]);
            Assert.True(outcome.Rejected == 1 && outcome.Why!.Contains(why, StringComparison.Ordinal), $"{why}: {outcome}");
        }
        Assert.Equal([$"good 1 07 {8:x16}"], await SaidAsync());
        // texts that no database stores, that are too long, or that hold secrets
        await Get<ReceiveResults>().ReceiveAsync([Record(trace, span, ulong.MaxValue, Name("a\0b"), ("error.type", new string('e', 9000)), ("gen_ai.evaluation.score.label", "rosa@example.org\0"), ("gen_ai.evaluation.explanation", new string('w', 100_000)))]);
        var kept = await ReadAsync(db => db.Assessments.AsNoTracking().SingleAsync(a => a.Name == "a\uFFFDb"));
        Assert.Equal((250, 65_535), (kept.ErrorCode!.Length, kept.Rationale!.Length));
        Assert.DoesNotContain("rosa", kept.ValueJson, StringComparison.Ordinal);
    }
}

public sealed class SqliteEvaluationResultTests() : EvaluationResultTests(DatabaseProvider.Sqlite);

public sealed class PostgresEvaluationResultTests() : EvaluationResultTests(DatabaseProvider.Postgres);
